import type { IncomingMessage } from 'node:http';
import type { RegistryCredential } from '#apis/runtime/image-service.ts';
import { errorText } from '#core/errors.ts';
import type { Agents } from './agents.ts';
import { exchange } from './exchange.ts';
import { readAll } from '#core/streams.ts';

/** The registry's token service gave no token. */
export class AuthorizationFailure extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'AuthorizationFailure';
  }
}

/** Learns from a registry's 401 how to authorize, and does: Basic, or a bearer token from the service it names. */
export class Authorizer {
  readonly #credential: RegistryCredential | undefined;
  readonly #signal: AbortSignal;
  readonly #agents: Agents;
  readonly #headers = new Map<string, string>();

  constructor(credential: RegistryCredential | undefined, { signal, agents }: { readonly signal: AbortSignal; readonly agents: Agents }) {
    this.#credential = credential;
    this.#signal = signal;
    this.#agents = agents;
  }

  header(scope: string): string | undefined {
    return this.#headers.get(scope);
  }

  /** True when it is worth asking again. */
  async learn(challenge: string | undefined, scope: string): Promise<boolean> {
    this.#headers.delete(scope);
    const { scheme, parameters } = parseChallenge(challenge ?? '');
    if (scheme === 'basic' && this.#credential !== undefined) {
      this.#headers.set(scope, this.#basic());
      return true;
    }
    if (scheme !== 'bearer' || parameters['realm'] === undefined) return false;
    this.#headers.set(scope, `Bearer ${await this.#token(parameters, scope)}`);
    return true;
  }

  async #token(parameters: Readonly<Record<string, string>>, scope: string): Promise<string> {
    const url = new URL(parameters['realm'] ?? '');
    const method = this.#credential?.identityToken === undefined ? 'GET' : 'POST';
    try {
      const response = await (method === 'POST' ? this.#exchangeToken(url, parameters, scope) : this.#askForToken(url, parameters, scope));
      const text = (await readAll(response, 1 << 20)).toString('utf8');
      if (response.statusCode !== 200) {
        throw new Error(`unexpected status from ${method} request to ${url.href}: ${response.statusCode} ${response.statusMessage ?? ''}`);
      }
      const answer = JSON.parse(text) as { token?: string; access_token?: string };
      const token = answer.token ?? answer.access_token;
      if (typeof token !== 'string') throw new Error('the answer has no token');
      return token;
    } catch (error) {
      this.#signal.throwIfAborted();
      const kind = this.#credential === undefined ? 'anonymous' : 'oauth';
      throw new AuthorizationFailure(`failed to authorize: failed to fetch ${kind} token: ${errorText(error)}`);
    }
  }

  #askForToken(url: URL, parameters: Readonly<Record<string, string>>, scope: string): Promise<IncomingMessage> {
    if (parameters['service'] !== undefined) url.searchParams.set('service', parameters['service']);
    url.searchParams.set('scope', scope);
    const headers = this.#credential === undefined ? {} : { authorization: this.#basic() };
    return exchange(url.href, { method: 'GET', headers, signal: this.#signal, agents: this.#agents, redirects: 3 });
  }

  /** The distribution protocol's OAuth 2 form of the same, for who has a refresh token. */
  #exchangeToken(url: URL, parameters: Readonly<Record<string, string>>, scope: string): Promise<IncomingMessage> {
    const form = new URLSearchParams({ grant_type: 'refresh_token', client_id: 'dormouse', scope });
    form.set('service', parameters['service'] ?? '');
    form.set('refresh_token', this.#credential?.identityToken ?? '');
    const body = Buffer.from(form.toString());
    const headers = { 'content-type': 'application/x-www-form-urlencoded', 'content-length': String(body.length) };
    return exchange(url.href, { method: 'POST', headers, body: () => body, signal: this.#signal, agents: this.#agents, redirects: 0 });
  }

  #basic(): string {
    const { username = '', password = '' } = this.#credential ?? {};
    return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  }
}

/** RFC 9110 §11.6.1, the first challenge. */
export function parseChallenge(header: string): { scheme: string; parameters: Readonly<Record<string, string>> } {
  const scheme = /^\s*(\w+)/.exec(header)?.[1]?.toLowerCase() ?? '';
  const parameters = Object.fromEntries(
    [...header.matchAll(/(\w+)=(?:"([^"]*)"|([^\s,]+))/g)].map(([, name, quoted, plain]) => [name, quoted ?? plain]),
  );
  return { scheme, parameters: parameters as Record<string, string> };
}
