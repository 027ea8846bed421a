import { resolve } from 'node:path';
import { UserError } from '#core/errors.ts';
import { listOption, type Invocation } from '#cli/command.ts';
import { registryLogins } from '#cli/registry-logins.ts';
import { connectImages, megabytes, progressPrinter } from '#cli/images.ts';

/** `dormouse build DIR -t NAME`. */
export async function buildImage(invocation: Invocation): Promise<number> {
  const { images } = await connectImages(invocation);
  const tags = listOption(invocation, 'tag');
  if (tags.length === 0) throw new UserError('the image needs a name', { hint: 'Give one with -t, for example -t localhost:5000/hello.' });
  const [directory = '.'] = invocation.positionals;
  const base = invocation.options['base'];
  const result = await images.build(
    {
      directory: resolve(directory),
      tags,
      environment: listOption(invocation, 'env'),
      ...(typeof base === 'string' ? { base, credentials: await registryLogins(invocation, base) } : {}),
    },
    progressPrinter(invocation),
    invocation.signal,
  );
  invocation.stdout.write(`${result.name}@${result.digest}  ${megabytes(result.sizeBytes)}\n`);
  return 0;
}
