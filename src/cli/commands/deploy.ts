import { readFileSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { parseAllDocuments } from 'yaml';
import type { KubeObject } from '#apis/meta/object.ts';
import { services } from '#apis/serving/v1/kinds.ts';
import { UserError } from '#core/errors.ts';
import { connect, type Target } from '#cli/api.ts';
import { textOption, type Invocation } from '#cli/command.ts';
import { connectImages, progressPrinter } from '#cli/images.ts';
import { waitReady } from '#cli/serving/progress.ts';
import { deployService } from '#cli/serving/spec.ts';

const timeoutMs = 300_000;

/** `dormouse deploy (--image IMG | --source DIR | -f FILE)`: from an image, from source, or from a manifest to a URL. */
export async function deploy(invocation: Invocation): Promise<number> {
  const given = ['image', 'source', 'file'].filter((name) => textOption(invocation, name) !== undefined);
  if (given.length !== 1) {
    throw new UserError(given.length === 0 ? 'nothing to deploy' : `--${given.join(' and --')} cannot be given together`, {
      hint: 'Give one of --image IMAGE, --source DIR, -f FILE.',
    });
  }
  const target = await connect(invocation);
  const file = textOption(invocation, 'file');
  if (file !== undefined) return deployFile(target, file, invocation);
  const name = serviceName(invocation);
  const image = textOption(invocation, 'image') ?? (await build(invocation, name));
  const { created } = await deployService(target.client, target.namespace, name, image, invocation);
  invocation.stdout.write(`${created ? 'Creating' : 'Updating'} service ${name} in namespace ${target.namespace}\n`);
  await finish(target, name, invocation);
  return 0;
}

async function deployFile(target: Target, file: string, invocation: Invocation): Promise<number> {
  const objects = readManifest(file);
  for (const object of objects) {
    const namespace = object.metadata.namespace ?? target.namespace;
    const body = { ...object, metadata: { ...object.metadata, namespace } };
    await target.client
      .of({ ...services, version: object.apiVersion?.split('/')[1] ?? 'v1' })
      .patch(namespace, object.metadata.name ?? '', { type: 'apply', body, force: true }, { fieldManager: 'dormouse-deploy' });
    invocation.stdout.write(`Applied service ${object.metadata.name} in namespace ${namespace}\n`);
    await finish({ ...target, namespace }, object.metadata.name ?? '', invocation);
  }
  return 0;
}

function readManifest(file: string): KubeObject[] {
  let text: string;
  try {
    text = readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (error) {
    throw new UserError(`${file} cannot be read: ${(error as Error).message}`);
  }
  const documents = parseAllDocuments(text);
  const objects: KubeObject[] = [];
  for (const document of documents) {
    const [problem] = document.errors;
    if (problem !== undefined) throw new UserError(`${file} is not valid YAML: ${problem.message}`);
    const object = document.toJS() as KubeObject | null;
    if (object === null) continue;
    if (object.kind !== 'Service' || !(object.apiVersion ?? '').startsWith('serving.knative.dev/')) {
      throw new UserError(`${file} holds a ${object.apiVersion ?? '?'} ${object.kind ?? '?'}`, {
        hint: 'deploy takes serving.knative.dev Services; apply anything else with kubectl.',
      });
    }
    objects.push(object);
  }
  if (objects.length === 0) throw new UserError(`${file} is empty`);
  return objects;
}

async function build(invocation: Invocation, name: string): Promise<string> {
  const { images, registry } = await connectImages(invocation);
  const directory = resolve(textOption(invocation, 'source') ?? '.');
  invocation.stdout.write(`Building ${directory}\n`);
  const result = await images.build({ directory, tags: [`${registry}/${name}`] }, progressPrinter(invocation, '  '), invocation.signal);
  return `${registry}/${name}@${result.digest}`;
}

async function finish({ client, namespace, platform }: Target, name: string, { stdout, signal }: Invocation): Promise<void> {
  const service = await waitReady(client, { namespace, name, timeoutMs, stdout, signal });
  const host = (service.status?.url ?? '').replace(/^https?:\/\//, '').replace(/:\d+$/, '');
  stdout.write(`\nService ${name} serves at ${service.status?.url}\n`);
  stdout.write(`  or: curl -H "Host: ${host}" http://${platform.listen}:${platform.ports.httpPort}\n`);
}

/** Named by `--name`, else after the source directory or the image. */
function serviceName(invocation: Invocation): string {
  const given = textOption(invocation, 'name');
  if (given !== undefined) return given;
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
