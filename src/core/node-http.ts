import type * as nodeHttp from 'node:http';

const http = process.getBuiltinModule('node:http');

/**
 * node:http without its fetch and WebSocket. An ES module that imports node:http itself evaluates every property of it, and with those
 * two comes a whole client: 7 MB of memory and a tenth of a second in every process. Types are imported from node:http as usual.
 */
export const { Agent, createServer, request, STATUS_CODES } = http;
export type Agent = nodeHttp.Agent;

/** Path and query of a request, whatever its target is. Never throws: `//` is a path here, and a target that is none stands for `/`. */
export function targetOf({ url = '/' }: Pick<nodeHttp.IncomingMessage, 'url'>): URL {
  const target = url.startsWith('/') ? `http://localhost${url}` : url;
  return URL.parse(target) ?? new URL('http://localhost/');
}
