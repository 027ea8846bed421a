import { createReadStream, createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { humanDuration } from '#apis/meta/human-duration.ts';
import { flagOption, textOption, type Invocation } from '#cli/command.ts';
import { connectImages, megabytes, progressPrinter } from '#cli/images.ts';
import { printData, table } from '#cli/output.ts';
import { registryLogins, withLoginHint } from '#cli/registry-logins.ts';

export async function listImages(invocation: Invocation): Promise<number> {
  const { images } = await connectImages(invocation);
  const found = await images.list();
  const form = textOption(invocation, 'output') ?? 'table';
  if (form !== 'table') await printData(invocation.stdout, form, found);
  else {
    const rows = found.map((image) => [
      image.name,
      image.digest.slice(7, 19),
      megabytes(image.sizeBytes),
      image.origin,
      image.inUse ? 'yes' : 'no',
      humanDuration(Date.now() - image.taggedAt),
    ]);
    invocation.stdout.write(`${table(['NAME', 'DIGEST', 'SIZE', 'ORIGIN', 'IN USE', 'AGE'], rows)}\n`);
  }
  return 0;
}

export async function tagImage(invocation: Invocation): Promise<number> {
  const { images } = await connectImages(invocation);
  const [source = '', target = ''] = invocation.positionals;
  await images.tag(source, target);
  invocation.stdout.write(`${target} is now ${source}.\n`);
  return 0;
}

export async function removeImages(invocation: Invocation): Promise<number> {
  const { images } = await connectImages(invocation);
  for (const name of invocation.positionals) {
    const { untagged } = await images.remove(name);
    for (const one of untagged) invocation.stdout.write(`Removed ${one}.\n`);
  }
  return 0;
}

export async function pruneImages(invocation: Invocation): Promise<number> {
  const { images } = await connectImages(invocation);
  const unused = flagOption(invocation, 'all') ? ({ unused: 'all' } as const) : {};
  const { removedNames, removedBlobs, freedBytes } = await images.prune(unused);
  invocation.stdout.write(`Freed ${megabytes(freedBytes)} (${removedNames.length} names, ${removedBlobs} blobs).\n`);
  return 0;
}

export async function pullImage(invocation: Invocation): Promise<number> {
  const { images } = await connectImages(invocation);
  const [reference = ''] = invocation.positionals;
  const credentials = await registryLogins(invocation, reference);
  const pulled = images.pull({ reference, credentials }, progressPrinter(invocation), invocation.signal);
  const result = await pulled.catch((error: unknown) => {
    throw withLoginHint(error, reference);
  });
  invocation.stdout.write(`${result.name}@${result.digest}\n`);
  return 0;
}

export async function pushImage(invocation: Invocation): Promise<number> {
  const { images } = await connectImages(invocation);
  const [source = '', target] = invocation.positionals;
  const name = target ?? source;
  const credentials = await registryLogins(invocation, name);
  const pushed = images.push({ source, target: name, credentials }, progressPrinter(invocation), invocation.signal);
  const result = await pushed.catch((error: unknown) => {
    throw withLoginHint(error, name);
  });
  invocation.stdout.write(`${result.name}@${result.digest}\n`);
  return 0;
}

export async function loadImages(invocation: Invocation): Promise<number> {
  const { images } = await connectImages(invocation);
  const [file = '-'] = invocation.positionals;
  const name = textOption(invocation, 'name');
  const loaded = await images.load(
    file === '-' ? process.stdin : createReadStream(file),
    name === undefined ? {} : { name },
    invocation.signal,
  );
  for (const image of loaded.images) invocation.stdout.write(`${image.name}@${image.digest}\n`);
  return 0;
}

export async function saveImages(invocation: Invocation): Promise<number> {
  const { images } = await connectImages(invocation);
  const file = textOption(invocation, 'output-file');
  const format = textOption(invocation, 'format') === 'oci' ? 'oci' : 'docker';
  const archive = await images.save({ names: invocation.positionals, format }, invocation.signal);
  await pipeline(archive, file === undefined ? process.stdout : createWriteStream(file));
  return 0;
}
