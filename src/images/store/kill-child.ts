import { openImageStore } from '../image-store.ts';
import { systemClock } from '#core/clock.ts';
import { silentLogger } from '#core/logger.ts';
import { hostPlatform, mediaTypes } from '../oci.ts';
import { pack } from 'tar-stream';

// Run by kill.itest.ts: adds images as fast as it can and prints the name of each one that was acknowledged, until it is killed.
const [directory = '', round = '0'] = process.argv.slice(2);
const store = await openImageStore({ directory, rootless: true, clock: systemClock, logger: silentLogger });
const signal = new AbortController().signal;
for (let index = 0; ; index += 1) {
  const tar = pack();
  for (let file = 0; file < 50; file += 1) tar.entry({ name: `d/${file}` }, `${round}.${index}.${file}`.repeat(200));
  tar.finalize();
  const layer = await store.blobs.write(tar as unknown as AsyncIterable<Buffer>);
  const file = Buffer.from(JSON.stringify({ ...hostPlatform, rootfs: { type: 'layers', diff_ids: [layer.digest] } }));
  const config = await store.blobs.writeBytes(file);
  const manifest = {
    schemaVersion: 2,
    config: { mediaType: mediaTypes.ociConfig, digest: config.digest, size: config.sizeBytes },
    layers: [{ mediaType: mediaTypes.ociLayer, digest: layer.digest, size: layer.sizeBytes }],
  };
  const { digest } = await store.blobs.writeBytes(Buffer.from(JSON.stringify(manifest)));
  const name = `r${round}:i${index}`;
  await store.setTag(name, digest);
  process.stdout.write(`${name}\n`);
  await store.ensure(name, 'Never', [], signal);
}
