import type * as fs from 'node:fs';
import type * as http from 'node:http';
import type * as path from 'node:path';

interface Modules {
  readonly fs: Pick<typeof fs, 'createReadStream' | 'statSync' | 'realpathSync'>;
  readonly http: Pick<typeof http, 'createServer'>;
  readonly path: Pick<typeof path, 'join' | 'extname' | 'sep'>;
}

/** Serves the files under `root`. Its own text becomes the program of a static site's image, so it may use only what it is given. */
function staticServer(modules: Modules, root: string): http.Server {
  const { fs, http, path } = modules;
  const types: Record<string, string> = {
    '.html': 'text/html; charset=utf-8',
    '.css': 'text/css; charset=utf-8',
    '.js': 'text/javascript; charset=utf-8',
    '.mjs': 'text/javascript; charset=utf-8',
    '.json': 'application/json',
    '.svg': 'image/svg+xml',
    '.png': 'image/png',
    '.jpg': 'image/jpeg',
    '.jpeg': 'image/jpeg',
    '.gif': 'image/gif',
    '.webp': 'image/webp',
    '.ico': 'image/x-icon',
    '.txt': 'text/plain; charset=utf-8',
    '.xml': 'application/xml',
    '.wasm': 'application/wasm',
    '.woff2': 'font/woff2',
    '.pdf': 'application/pdf',
  };
  const find = (name: string) => {
    for (const candidate of [name, path.join(name, 'index.html'), `${name}.html`]) {
      try {
        const real = fs.realpathSync(candidate);
        const info = fs.statSync(real);
        if (info.isFile() && real.startsWith(root + path.sep)) return { real, info };
      } catch {
        // Not there: the next candidate, or 404.
      }
    }
    return undefined;
  };
  return http.createServer((request, response) => {
    let name = '';
    try {
      name = decodeURIComponent((request.url ?? '/').split('?')[0] ?? '/');
    } catch {
      response.writeHead(400).end('Bad request\n');
      return;
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.writeHead(405, { allow: 'GET, HEAD' }).end('Method not allowed\n');
      return;
    }
    const hidden = name.split('/').some((part) => part.startsWith('.') && !['.', '..', '.well-known'].includes(part));
    const found = hidden || name.includes('\0') ? undefined : find(path.join(root, path.join('/', name)));
    if (found === undefined) {
      response.writeHead(404, { 'content-type': 'text/plain; charset=utf-8' }).end('Not found\n');
      return;
    }
    const type = types[path.extname(found.real).toLowerCase()] ?? 'application/octet-stream';
    response.writeHead(200, { 'content-type': type, 'content-length': found.info.size, 'cache-control': 'no-cache' });
    if (request.method === 'HEAD') response.end();
    else
      fs.createReadStream(found.real)
        .on('error', () => response.destroy())
        .pipe(response);
  });
}

/** The server as a program that needs nothing but Node: serves `root` on $PORT (8080). */
export function staticServerProgram(root: string): string {
  return [
    "import fs from 'node:fs';\nimport http from 'node:http';\nimport path from 'node:path';",
    `const serve = ${staticServer.toString()};`,
    `const server = serve({ fs, http, path }, ${JSON.stringify(root)});`,
    "server.listen(Number(process.env.PORT ?? 8080));\nprocess.on('SIGTERM', () => { server.close(() => process.exit(0)); server.closeIdleConnections(); });\n",
  ].join('\n');
}
