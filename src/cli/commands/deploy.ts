import { readFileSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import type { Writable } from 'node:stream';
import { parseAllDocuments } from 'yaml';
import { namespaces } from '#apis/core/v1/namespace.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import { services } from '#apis/serving/v1/kinds.ts';
import type { Service } from '#apis/serving/v1/schemas.ts';
import { fileError, UserError } from '#core/errors.ts';
import { connect, type Target } from '#cli/api.ts';
import { textOption, type Invocation } from '#cli/command.ts';
import { connectImages, progressPrinter } from '#cli/images.ts';
import { printData } from '#cli/output.ts';
import { deployOptions } from '#cli/serving-commands.ts';
import { checkName, readDeployOptions } from '#cli/serving/deploy-options.ts';
import { waitReady } from '#cli/serving/progress.ts';
import { deployService } from '#cli/serving/spec.ts';
import { inNamespace } from '#cli/serving/trouble.ts';

const timeoutMs = 300_000;

/** `dormouse deploy (--image IMG | --source DIR | -f FILE)`: from an image, from source, or from a manifest to a URL. */
export async function deploy(invocation: Invocation): Promise<number> {
  const given = ['image', 'source', 'file'].filter((name) => textOption(invocation, name) !== undefined);
  if (given.length !== 1) {
    throw new UserError(given.length === 0 ? 'nothing to deploy' : `--${given.join(' and --')} cannot be given together`, {
      hint: 'Give one of --image IMAGE, --source DIR, -f FILE.',
    });
  }
  const options = readDeployOptions(invocation);
  const file = textOption(invocation, 'file');
  if (file !== undefined) {
    refuseBesideFile(invocation);
    return deployFile(await connect(invocation), readManifest(file), invocation);
  }
  const name = serviceName(invocation);
  const target = await connect(invocation);
  const progress = progressOf(invocation);
  // Said before anything is built.
  await target.client.of(namespaces).get(undefined, target.namespace);
  const image = textOption(invocation, 'image') ?? (await build(invocation, name));
  const { service, created } = await deployService(target.client, { namespace: target.namespace, name, image }, options);
  progress.write(`${created ? 'Creating' : 'Updating'} service ${name} in namespace ${target.namespace}\n`);
  await printResult(invocation, [await finish(target, name, invocation, service.status?.latestCreatedRevisionName)]);
  return 0;
}

/** Progress goes beside the data: to standard error when the service itself is asked for on standard output. */
function progressOf(invocation: Invocation): Writable {
  return outputForm(invocation) === 'table' ? invocation.stdout : invocation.stderr;
}

function outputForm(invocation: Invocation): string {
  return textOption(invocation, 'output') ?? 'table';
}

async function printResult(invocation: Invocation, deployed: readonly Service[]): Promise<void> {
  const form = outputForm(invocation);
  if (form !== 'table') await printData(invocation.stdout, form, deployed.length === 1 ? deployed[0] : deployed);
}

/** A manifest says everything itself: an option beside it would be passed over in silence. */
function refuseBesideFile({ options }: Invocation): void {
  const [other] = deployOptions.filter(({ name }) => name !== 'file' && options[name] !== undefined);
  if (other !== undefined) throw new UserError(`--${other.name} cannot be given with -f`, { hint: 'Write it into the manifest.' });
}

async function deployFile(target: Target, objects: readonly KubeObject[], invocation: Invocation): Promise<number> {
  const deployed: Service[] = [];
  for (const object of objects) {
    const namespace = object.metadata.namespace ?? target.namespace;
    const body = { ...object, metadata: { ...object.metadata, namespace } };
    await target.client
      .of({ ...services, version: object.apiVersion?.split('/')[1] ?? 'v1' })
      .patch(namespace, object.metadata.name ?? '', { type: 'apply', body, force: true }, { fieldManager: 'dormouse-deploy' });
    progressOf(invocation).write(`Applied service ${object.metadata.name} in namespace ${namespace}\n`);
    deployed.push(await finish({ ...target, namespace }, object.metadata.name ?? '', invocation));
  }
  await printResult(invocation, deployed);
  return 0;
}

function readManifest(file: string): KubeObject[] {
  let text: string;
  try {
    text = readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (error) {
    throw fileError(error) ?? new UserError(`${file} cannot be read: ${(error as Error).message}`);
  }
  const documents = parseAllDocuments(text);
  const objects: KubeObject[] = [];
  for (const document of documents) {
    const [problem] = document.errors;
    if (problem !== undefined) throw new UserError(`${file} is not valid YAML: ${problem.message}`);
    const object = document.toJS() as KubeObject | null;
    if (object === null) continue;
    if (typeof object !== 'object' || object.kind === undefined || object.apiVersion === undefined)
      throw new UserError(`${file} is no manifest: it has no apiVersion and kind`);
    if (object.kind !== 'Service' || !object.apiVersion.startsWith('serving.knative.dev/')) {
      throw new UserError(`${file} holds a ${object.apiVersion} ${object.kind}`, {
        hint: 'deploy takes serving.knative.dev Services; apply anything else with kubectl.',
      });
    }
    if (object.metadata?.name === undefined) throw new UserError(`${file}: a Service has no metadata.name`);
    objects.push(object);
  }
  if (objects.length === 0) throw new UserError(`${file} is empty`);
  return objects;
}

async function build(invocation: Invocation, name: string): Promise<string> {
  const progress = progressOf(invocation);
  const { images, registry } = await connectImages(invocation);
  const directory = resolve(textOption(invocation, 'source') ?? '.');
  progress.write(`Building ${directory}\n`);
  const result = await images.build(
    { directory, tags: [`${registry}/${name}`] },
    progressPrinter({ stdout: progress }, '  '),
    invocation.signal,
  );
  return `${registry}/${name}@${result.digest}`;
}

async function finish({ client, namespace, platform }: Target, name: string, invocation: Invocation, before?: string): Promise<Service> {
  const progress = progressOf(invocation);
  const service = await waitReady(client, { namespace, name, timeoutMs, before, stdout: progress, signal: invocation.signal });
  const host = (service.status?.url ?? '').replace(/^https?:\/\//, '').replace(/:\d+$/, '');
  progress.write(`\nService ${name} serves at ${service.status?.url}\n`);
  progress.write(`  or: curl -H "Host: ${host}" ${new URL(`http://${platform.listen}:${platform.ports.httpPort}`).origin}\n`);
  for (const line of newRevisionLines(service)) progress.write(`  ${line}\n`);
  return service;
}

/** Where a revision that does not get all of the traffic is reached, and how it gets more. */
function newRevisionLines({ metadata, status }: Service): readonly string[] {
  const revision = status?.latestReadyRevisionName ?? '';
  const own = (status?.traffic ?? []).filter(({ revisionName }) => revisionName === revision);
  const percent = own.reduce((sum, target) => sum + (target.percent ?? 0), 0);
  if (percent === 100) return [];
  const urls = own.flatMap(({ tag, url }) => (tag === undefined ? [] : [`${revision} alone: ${url}`]));
  const more = `dormouse traffic ${metadata.name} @latest=100${inNamespace(metadata.namespace)}`;
  return [...urls, `${revision} gets ${percent} % of its traffic; to give it all: ${more}`];
}

/** Named by `--name`, else after the source directory or the image. */
function serviceName(invocation: Invocation): string {
  const given = textOption(invocation, 'name');
  if (given !== undefined) {
    checkName('--name', given);
    return given;
  }
  const source = textOption(invocation, 'source');
  const base =
    source === undefined
      ? (textOption(invocation, 'image') ?? '')
          .replace(/[@:][^/]*$/, '')
          .split('/')
          .at(-1)
      : basename(resolve(source));
  const name = (base ?? '')
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, '-')
    .replaceAll(/^[^a-z]+|-+$/g, '')
    .slice(0, 50);
  if (name === '') throw new UserError('no name can be made from that', { hint: 'Give one with --name.' });
  return name;
}
