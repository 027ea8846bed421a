import type { KubeObject } from '#apis/meta/object.ts';
import { GoTemplate } from '#core/go-template/template.ts';

/** The templates of config-network and config-defaults. Each throws TemplateError. */

type Owner = Pick<KubeObject, 'metadata'>;

/** Knative's templates are few and used often. */
const cache = new Map<string, GoTemplate>();
const maxCached = 64;

function templateOf(name: string, source: string): GoTemplate {
  const key = `${name}\n${source}`;
  let template = cache.get(key);
  if (template === undefined) {
    if (cache.size >= maxCached) cache.clear();
    cache.set(key, (template = new GoTemplate(name, source)));
  }
  return template;
}

const mapOf = (values: Readonly<Record<string, string>> | undefined): Map<string, string> => new Map(Object.entries(values ?? {}));

/** domain-template: the public name of what is called `name` in the namespace of `owner`, whose labels and annotations it may look at. */
export function domainName(
  source: string,
  { metadata }: Owner,
  { name, domain }: { readonly name: string; readonly domain: string },
): string {
  const { namespace = '', annotations, labels } = metadata;
  const values = { Name: name, Namespace: namespace, Domain: domain, Annotations: mapOf(annotations), Labels: mapOf(labels) };
  return templateOf('domain-template', source).execute(values, 'config.DomainTemplateValues');
}

/** tag-template: what a tag of the route `name` is called. */
export function tagName(source: string, { name, tag }: { readonly name: string; readonly tag: string }): string {
  return templateOf('tag-template', source).execute({ Name: name, Tag: tag }, 'config.TagTemplateValues');
}

/** container-name-template and its like: the name of a container of what `parent` describes. */
export function containerName(source: string, { metadata: { name = '', namespace = '', annotations, labels } }: Owner): string {
  const values = { Name: name, Namespace: namespace, Annotations: mapOf(annotations), Labels: mapOf(labels) };
  return templateOf('container-template', source).execute(values, 'v1.ObjectMeta');
}
