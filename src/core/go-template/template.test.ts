import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { GoTemplate, TemplateError } from '#core/go-template/template.ts';

const data = {
  Name: 'hello',
  Namespace: 'default',
  Empty: '',
  Code: 200,
  Labels: new Map([
    ['team', 'a'],
    ['x.y/z', 'odd'],
  ]),
  Header: { Get: (name: string) => `<${name}>` },
};
const render = (source: string): string => new GoTemplate('t', source).execute(data, 'test.Data');

describe('Go’s templates', () => {
  const cases: [source: string, result: string][] = [
    ['plain', 'plain'],
    ['{{.Name}}.{{ .Namespace }}', 'hello.default'],
    ['{{.Name -}} . {{- .Namespace}}', 'hello.default'],
    ['a{{/* said }} nothing */}}b', 'ab'],
    ['{{index .Labels "team"}}-{{index .Labels "none"}}!', 'a-!'],
    ['{{.Labels.team}} {{.Labels.none}}', 'a <no value>'],
    ['{{index .Labels `x.y/z`}}', 'odd'],
    ['{{if .Empty}}a{{else if eq .Name "hello"}}b{{else}}c{{end}}', 'b'],
    ['{{with .Empty}}{{.}}{{else}}none of {{.Name}}{{end}}', 'none of hello'],
    ['{{with index .Labels "team"}}{{.}} of {{$.Name}}{{end}}', 'a of hello'],
    ['{{range .Labels}}{{.}},{{end}}', 'a,odd,'],
    ['{{$n := .Name}}{{$n}}{{$n}}', 'hellohello'],
    ['{{printf "%s-%d-%q" .Name .Code .Name}}', 'hello-200-"hello"'],
    ['{{.Name | printf "%s/%s" .Namespace}}', 'default/hello'],
    ['{{if and .Name (not .Empty) (gt .Code 199)}}yes{{end}}', 'yes'],
    ['{{.Header.Get "User-Agent"}} {{js (.Header.Get "a")}}', '<User-Agent> \\u003Ca\\u003E'],
    ['{{len .Name}} {{slice .Name 1 3}} {{"quo\\"ted"}} {{true}} {{1.5}}', '5 el quo"ted true 1.5'],
    ['{{(index .Labels "team")}}', 'a'],
  ];
  for (const [source, result] of cases) test(source, () => assert.equal(render(source), result));

  const bad: [source: string, message: string][] = [
    ['{{.Name', 'template: t:1: unclosed action'],
    ['a\n{{foo .Name}}', 'template: t:2: function "foo" not defined'],
    ['{{}}', 'template: t:1: missing value for command'],
    ['{{if .Name}}', 'template: t:1: unexpected EOF'],
    ['{{end}}', 'template: t:1: unexpected {{end}}'],
    ['{{.Foo}}', 'template: t:1:2: executing "t" at <.Foo>: can\'t evaluate field Foo in type test.Data'],
    ['{{.Name}}\n {{ .Bar }}', 'template: t:2:4: executing "t" at <.Bar>: can\'t evaluate field Bar in type test.Data'],
    ['{{.Name | }}', 'template: t:1: missing value for command'],
    ['{{(.Name}}', 'template: t:1: unclosed left paren'],
    ['{{#}}', 'template: t:1: unexpected "#" in operand'],
  ];
  for (const [source, message] of bad) {
    test(`${JSON.stringify(source)} is refused`, () => assert.throws(() => render(source), new TemplateError(message)));
  }
});
