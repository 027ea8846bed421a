import { functions, isTrue, print, type Value } from '#core/go-template/functions.ts';
import { parseTemplate, TemplateError, type Node, type Operand, type Pipeline } from '#core/go-template/parse.ts';

export { TemplateError } from '#core/go-template/parse.ts';

const names: ReadonlySet<string> = new Set(Object.keys(functions));

/** One of Go's text/templates. Its data is a plain object (unknown fields are errors) that may hold Maps, strings, numbers and methods. */
export class GoTemplate {
  readonly #name: string;
  readonly #nodes: readonly Node[];

  /** Throws TemplateError where the source is no template. */
  constructor(name: string, source: string) {
    this.#name = name;
    this.#nodes = parseTemplate(name, source, names);
  }

  /** Throws TemplateError; `type` is what Go calls the type of the data. */
  execute(data: object, type: string): string {
    return new Execution(this.#name, data, type).run(this.#nodes, data);
  }
}

class Execution {
  readonly #name: string;
  readonly #root: object;
  readonly #type: string;
  readonly #variables = new Map<string, Value>();

  constructor(name: string, root: object, type: string) {
    this.#name = name;
    this.#root = root;
    this.#type = type;
    this.#variables.set('$', root);
  }

  run(nodes: readonly Node[], dot: Value): string {
    return nodes.map((node) => this.#node(node, dot)).join('');
  }

  #node(node: Node, dot: Value): string {
    if (node.kind === 'text') return node.text;
    const value = this.#pipeline(node.pipeline, dot);
    if (node.kind === 'action') return node.pipeline.declares === undefined ? print(value) : '';
    if (!isTrue(value)) return this.run(node.otherwise, dot);
    if (node.kind === 'if') return this.run(node.body, dot);
    if (node.kind === 'with') return this.run(node.body, value);
    const items = value instanceof Map ? [...value.values()] : Array.isArray(value) ? (value as Value[]) : [value];
    return items.map((item) => this.run(node.body, item)).join('');
  }

  #pipeline({ commands, declares }: Pipeline, dot: Value): Value {
    let result: Value;
    for (const [index, [callee, ...words]] of commands.entries()) {
      const args = words.map((word) => this.#value(word, dot));
      if (index > 0) args.push(result);
      result = this.#call(callee as Operand, args, dot);
    }
    if (declares !== undefined) this.#variables.set(declares, result);
    return result;
  }

  #call(callee: Operand, args: readonly Value[], dot: Value): Value {
    if (callee.kind === 'function') return functions[callee.name]?.(...args);
    const value = callee.kind === 'field' ? this.#field(callee, dot) : this.#value(callee, dot);
    if (typeof value === 'function') return (value as (...all: readonly Value[]) => Value)(...args);
    if (args.length > 0) throw new TemplateError(`template: ${this.#name}: can't give argument to non-function`);
    return value;
  }

  #value(operand: Operand, dot: Value): Value {
    if (operand.kind === 'literal') return operand.value;
    if (operand.kind === 'variable') return this.#variables.get(operand.name);
    if (operand.kind === 'pipeline') return this.#pipeline(operand.pipeline, dot);
    if (operand.kind === 'function') return functions[operand.name]?.();
    const value = this.#field(operand, dot);
    return typeof value === 'function' ? (value as () => Value)() : value;
  }

  #field({ base, path, place }: Extract<Operand, { kind: 'field' }>, dot: Value): Value {
    let value = base === undefined ? dot : this.#value(base, dot);
    for (const name of path) {
      if (typeof value === 'object' && value !== null && Object.hasOwn(value, name)) value = (value as Record<string, Value>)[name];
      else if (value instanceof Map) value = (value as Map<string, Value>).get(name);
      else {
        const where = `template: ${this.#name}:${place.line}:${place.column}: executing ${JSON.stringify(this.#name)} at <${place.text}>`;
        throw new TemplateError(`${where}: can't evaluate field ${name} in type ${value === this.#root ? this.#type : typeof value}`);
      }
    }
    return value;
  }
}
