import { lazy, type Command, type Option } from '#cli/command.ts';
import { outputOption } from '#cli/serving-commands.ts';
import { dataDirOption } from '#cli/settings-options.ts';

const commands = () => import('#cli/commands/image.ts');
const name = { name: 'name', summary: 'Name of the image' };

const loginOptions: readonly Option[] = [
  {
    name: 'creds',
    type: 'string',
    placeholder: 'USER:PASSWORD',
    summary: 'Login for the registry (default: those of docker, podman and skopeo login)',
  },
  { name: 'username', short: 'u', type: 'string', placeholder: 'USER', summary: 'User of the registry, with --password-stdin' },
  { name: 'password-stdin', type: 'boolean', summary: 'Read the password from standard input' },
  {
    name: 'authfile',
    type: 'string',
    placeholder: 'FILE',
    summary: 'Take logins from this file alone, written as Docker’s config.json is',
  },
];

/** Images: build, and the store of the running platform. */
export const imageCommands: readonly Command[] = [
  {
    name: 'build',
    summary: 'Build a source directory into an image, without a container engine',
    description:
      'Builds a Node or TypeScript project (package.json) or a static site (index.html) into an OCI image. The same source gives the same digest.',
    positionals: [{ name: 'dir', summary: 'Source directory (default: this one)', optional: true }],
    options: [
      { name: 'tag', short: 't', type: 'string', multiple: true, placeholder: 'NAME', summary: 'Name of the image; may be repeated' },
      { name: 'base', type: 'string', placeholder: 'IMAGE', summary: "Base image (default: made from this machine's Node)" },
      { name: 'env', short: 'e', type: 'string', multiple: true, placeholder: 'KEY=VALUE', summary: 'Environment variable in the image' },
      dataDirOption,
    ],
    examples: ['dormouse build . -t localhost:5000/hello'],
    run: lazy(async () => (await import('#cli/commands/build.ts')).buildImage),
  },
  {
    name: 'image',
    summary: 'Manage images',
    commands: [
      {
        name: 'ls',
        aliases: ['list'],
        summary: 'List images',
        options: [outputOption, dataDirOption],
        run: lazy(async () => (await commands()).listImages),
      },
      {
        name: 'tag',
        summary: 'Give an image another name; a name given here wins over the registry of that name',
        positionals: [
          { name: 'source', summary: 'Present name' },
          { name: 'target', summary: 'New name' },
        ],
        options: [dataDirOption],
        run: lazy(async () => (await commands()).tagImage),
      },
      {
        name: 'rm',
        summary: 'Remove names',
        positionals: [name, { name: 'more', summary: 'More of them', rest: true }],
        options: [dataDirOption],
        run: lazy(async () => (await commands()).removeImages),
      },
      {
        name: 'pull',
        summary: 'Fetch an image from its registry, also where a local name would win',
        positionals: [name],
        options: [...loginOptions, dataDirOption],
        examples: ['dormouse image pull registry.example.com/team/hello --username alice --password-stdin < password'],
        run: lazy(async () => (await commands()).pullImage),
      },
      {
        name: 'push',
        summary: 'Send an image to a registry',
        positionals: [name, { name: 'target', summary: 'Name there (default: the same)', optional: true }],
        options: [...loginOptions, dataDirOption],
        examples: ['dormouse image push localhost:5000/hello registry.example.com/team/hello'],
        run: lazy(async () => (await commands()).pushImage),
      },
      {
        name: 'load',
        summary: 'Load an archive (docker save or OCI layout)',
        positionals: [{ name: 'file', summary: 'Archive, - for standard input', optional: true }],
        options: [{ name: 'name', type: 'string', placeholder: 'NAME', summary: 'Name for an image that carries none' }, dataDirOption],
        run: lazy(async () => (await commands()).loadImages),
      },
      {
        name: 'save',
        summary: 'Write images into an archive',
        positionals: [name, { name: 'more', summary: 'More of them', rest: true }],
        options: [
          { name: 'output-file', short: 'o', type: 'string', placeholder: 'FILE', summary: 'File (default: standard output)' },
          { name: 'format', type: 'string', choices: ['docker', 'oci'], default: 'docker', summary: 'Kind of archive' },
          dataDirOption,
        ],
        run: lazy(async () => (await commands()).saveImages),
      },
      {
        name: 'prune',
        summary: 'Free what no name needs any more',
        options: [{ name: 'all', type: 'boolean', summary: 'Also names that no container uses' }, dataDirOption],
        run: lazy(async () => (await commands()).pruneImages),
      },
    ],
  },
];
