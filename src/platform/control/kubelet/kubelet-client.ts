import type { ClientRequest, IncomingMessage } from 'node:http';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import type { Duplex } from 'node:stream';
import type { PeerCertificate } from 'node:tls';
import { nodes, type Node } from '#apis/core/v1/node.ts';
import { parseDial } from '#apis/dormouse/dial.ts';
import { dialAnnotation } from '#apis/dormouse/names.ts';
import { StatusError, type StatusReason } from '#apis/meta/status.ts';
import type { Client } from '#client/client.ts';
import { errorText } from '#core/errors.ts';
import { writable } from '#core/streams.ts';
import type { KeyPair } from '#wire/certificates.ts';

export interface KubeletRequest {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: AsyncIterable<Uint8Array>;
  readonly signal: AbortSignal;
}

/** A connection the kubelet has switched to another protocol; nobody has read from it yet. */
export interface UpgradedConnection {
  /** The answer's head as it stood, its empty line included. */
  readonly answer: string;
  readonly socket: Duplex;
  /** Bytes that came behind the answer. */
  readonly head: Buffer;
}

/**
 * Speaks to the nodes' kubelet APIs as the API server itself: with its client certificate, over TLS, and only to a kubelet
 * whose certificate of the cluster's CA names that very node. Failures are StatusErrors.
 */
export class KubeletClient {
  readonly #client: Client;
  readonly #identity: KeyPair;
  readonly #authority: string;

  constructor(options: { client: Client; identity: KeyPair; authority: string }) {
    this.#client = options.client;
    this.#identity = options.identity;
    this.#authority = options.authority;
  }

  /** The kubelet's answer, whatever its status; the caller reads the body. */
  async send(nodeName: string, request: KubeletRequest): Promise<IncomingMessage> {
    const outgoing = await this.#open(nodeName, request);
    return new Promise((resolve, reject) => {
      outgoing.once('response', resolve);
      outgoing.once('error', (error) => reject(unreachable(error)));
      void sendBody(outgoing, request.body);
    });
  }

  /** Resolves when the kubelet has switched protocols; its refusal becomes a StatusError. */
  async upgrade(nodeName: string, request: KubeletRequest): Promise<UpgradedConnection> {
    const outgoing = await this.#open(nodeName, request);
    return upgradedBy(outgoing);
  }

  async #open(nodeName: string, { method, path, headers = {}, signal }: KubeletRequest): Promise<ClientRequest> {
    const node = await this.#client.of(nodes).get(undefined, nodeName);
    return httpsRequest({
      ...addressOf(node),
      method,
      path,
      headers,
      agent: false,
      signal,
      cert: this.#identity.certificate,
      key: this.#identity.privateKey,
      ca: this.#authority,
      checkServerIdentity: (_host: string, certificate: PeerCertificate) =>
        certificate.subject.CN === `system:node:${nodeName}` ? undefined : new Error(`the kubelet is not that of node ${nodeName}`),
    });
  }
}

/** Sends a request that asks for another protocol; resolves when it was switched, rejects with the refusal. */
export function upgradedBy(outgoing: ClientRequest): Promise<UpgradedConnection> {
  return new Promise((resolve, reject) => {
    outgoing.once('upgrade', (response: IncomingMessage, socket: Duplex, head: Buffer) =>
      resolve({ answer: headText(response), socket, head }),
    );
    outgoing.once('response', (response: IncomingMessage) => void refusal(response).then(reject, reject));
    outgoing.once('error', (error) => reject(unreachable(error)));
    outgoing.end();
  });
}

/** Where a node's kubelet listens: where the node says it is dialled from this machine, else at its internal address. */
export function addressOf(node: Node): RequestOptions {
  const dial = node.metadata.annotations?.[dialAnnotation];
  const { addresses = [], daemonEndpoints } = node.status ?? {};
  const local = parseDial(dial, daemonEndpoints?.kubeletEndpoint?.Port ?? 0);
  if (local !== undefined) return 'path' in local ? { socketPath: local.path } : local;
  const host = addresses.find(({ type }) => type === 'InternalIP')?.address;
  const port = daemonEndpoints?.kubeletEndpoint?.Port ?? 0;
  if (host === undefined || port === 0)
    throw new StatusError('InternalError', `no preferred addresses found for node ${node.metadata.name}`);
  return { host, port };
}

const maxRefusalBytes = 16 * 1024;
const reasons: Readonly<Record<number, StatusReason>> = { 400: 'BadRequest', 403: 'Forbidden', 404: 'NotFound', 500: 'InternalError' };

/** A kubelet's failure as the API reports it: its text, its status. */
export async function refusal(response: IncomingMessage): Promise<StatusError> {
  const status = response.statusCode ?? 500;
  let text = '';
  try {
    for await (const chunk of response) {
      text += String(chunk);
      if (text.length > maxRefusalBytes) break;
    }
  } catch {
    // What has come is the message.
  }
  // Being unknown to the kubelet is this server's fault, not the caller's.
  if (status === 401) return new StatusError('InternalError', 'the kubelet does not accept the credentials of the API server');
  return new StatusError(reasons[status] ?? '', text.trimEnd(), { code: status });
}

function unreachable(error: Error): StatusError {
  return new StatusError('InternalError', `error dialing backend: ${errorText(error)}`, { cause: error });
}

/** Sends a body, as fast as it is taken, and ends the request. */
export async function sendBody(outgoing: ClientRequest, body: AsyncIterable<Uint8Array> | undefined): Promise<void> {
  try {
    for await (const chunk of body ?? []) {
      if (outgoing.destroyed) return;
      if (!outgoing.write(chunk)) await writable(outgoing);
    }
    outgoing.end();
  } catch (error) {
    outgoing.destroy(error as Error);
  }
}

function headText({ statusCode, statusMessage, rawHeaders }: IncomingMessage): string {
  const lines = [`HTTP/1.1 ${statusCode} ${statusMessage}`];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) lines.push(`${rawHeaders[at]}: ${rawHeaders[at + 1]}`);
  return `${lines.join('\r\n')}\r\n\r\n`;
}
