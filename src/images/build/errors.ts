import { UserError } from '#core/errors.ts';

/** Every reason for which a build refuses a project, in the words the user sees. */
export const buildErrors = {
  directoryMissing: (directory: string, cause?: unknown) =>
    new UserError(`${directory} is not a directory`, { hint: 'Give the directory that holds package.json or index.html.', cause }),
  notAProject: (directory: string) =>
    new UserError(`${directory} has neither a package.json nor an index.html`, {
      hint: 'Dormouse builds Node.js and TypeScript projects and static sites. For another language, build an image elsewhere and load it with `dormouse image load`.',
    }),
  packageUnreadable: (cause: unknown) =>
    new UserError('package.json is not a JSON object', { hint: 'Correct package.json and build again.', cause }),
  noEntry: (main: string | undefined) =>
    new UserError(
      main === undefined ? 'found nothing to start' : `found nothing to start: ${main}, the main of package.json, does not exist`,
      {
        hint: 'Add a start script to package.json ("start": "node server.js"), or give the command of the container.',
      },
    ),
  entryMissing: (file: string, script: string) =>
    new UserError(`the start script "${script}" runs ${file}, which does not exist or is ignored`, {
      hint: 'If a build step writes it, run that first (npm run build); otherwise correct the start script or the ignore file.',
    }),
  shellMissing: (script: string) =>
    new UserError(`the start script "${script}" needs a shell, and the base made from this machine has none`, {
      hint: 'Start with a plain `node <file>` command, install a static busybox on this machine (apt install busybox-static), or give a base image.',
    }),
  cannotStripTypes: (file: string, version: string) =>
    new UserError(`Node ${version} cannot run ${file} directly`, { hint: 'Use Node 24 or later, or compile to JavaScript first.' }),
  dependenciesMissing: () =>
    new UserError('package.json has dependencies, but there is neither a node_modules directory nor a package-lock.json', {
      hint: 'Run `npm install` in the directory first.',
    }),
  npmMissing: (cause: unknown) =>
    new UserError('the dependencies are not installed, and npm was not found on this machine', {
      hint: 'Run `npm ci --omit=dev` in the directory where npm is at hand, then build again.',
      cause,
    }),
  npmFailed: (code: number | null, output: string) =>
    new UserError(`npm ci failed with exit code ${code}: ${output}`, {
      hint: 'Run `npm ci --omit=dev` in the directory to see why; a build uses a node_modules directory that is there.',
    }),
  sourceChanged: (path: string, cause?: unknown) =>
    new UserError(`${path} changed while the image was being built`, { hint: 'Build again.', cause }),
  sourceUnreadable: (path: string, cause: unknown) =>
    new UserError(`${path} cannot be read`, { hint: 'Make it readable, or name it in .dormouseignore.', cause }),
  environmentInvalid: (text: string) =>
    new UserError(`environment ${JSON.stringify(text)} is not KEY=value`, { hint: 'Write it as KEY=value.' }),
  hostUnsupported: (reason: string, cause?: unknown) =>
    new UserError(`cannot make a base image from this machine's Node: ${reason}`, { hint: 'Give a base image, e.g. node:24-slim.', cause }),
};
