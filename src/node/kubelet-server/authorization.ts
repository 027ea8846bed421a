import type { TLSSocket } from 'node:tls';
import { tokenReviews } from '#apis/authentication/v1/token-review.ts';
import { subjectAccessReviews } from '#apis/authorization/v1/subject-access-review.ts';
import { methodVerbs } from '#apis/authorization/v1/verbs.ts';
import type { UserInfo } from '#apis/definition.ts';
import type { Client } from '#client/client.ts';
import type { Clock } from '#core/clock.ts';

/** A refusal: 401 when nobody is known, 403 when somebody may not. */
export class AccessError extends Error {
  readonly status: 401 | 403;
  constructor(status: 401 | 403, message: string) {
    super(message);
    this.name = 'AccessError';
    this.status = status;
  }
}

export interface AccessRequest {
  readonly method: string;
  readonly path: string;
  readonly authorization: string | undefined;
  readonly socket: TLSSocket;
}

const rememberMs = 10_000;
const maxRemembered = 256;

/**
 * Who may use the kubelet API: a client certificate of the cluster's CA or a bearer token the API server accepts
 * (TokenReview), allowed by the API server (SubjectAccessReview on nodes/{stats,metrics,log,proxy}, as kubelet asks). Answers
 * are remembered for ten seconds; there is no anonymous access.
 */
export class KubeletAccess {
  readonly #client: Client;
  readonly #nodeName: string;
  readonly #clock: Clock;
  readonly #remembered = new Map<string, { readonly untilMs: number; readonly value: Promise<unknown> }>();

  constructor(options: { client: Client; nodeName: string; clock: Clock }) {
    this.#client = options.client;
    this.#nodeName = options.nodeName;
    this.#clock = options.clock;
  }

  /** Resolves when the request is allowed; rejects with AccessError. */
  async check(request: AccessRequest): Promise<void> {
    const user = certificateUser(request.socket) ?? (await this.#tokenUser(request.authorization));
    if (user === undefined) throw new AccessError(401, 'Unauthorized');
    const verb = methodVerbs[request.method] ?? request.method.toLowerCase();
    const subresource = subresourceOf(request.path);
    const key = JSON.stringify(['access', user.username, user.groups, verb, subresource]);
    if (await this.#remember(key, () => this.#isAllowed(user, verb, subresource))) return;
    const text = `Forbidden (user=${user.username}, verb=${verb}, resource=nodes, subresource=${subresource})`;
    throw new AccessError(403, text);
  }

  async #tokenUser(authorization: string | undefined): Promise<UserInfo | undefined> {
    const token = /^Bearer\s+(\S+)$/i.exec(authorization ?? '')?.[1];
    if (token === undefined) return undefined;
    return this.#remember(`token ${token}`, async () => {
      const metadata = {};
      const review = await this.#client.of(tokenReviews).create({ metadata, spec: { token } });
      const { authenticated, user } = review.status ?? {};
      if (authenticated !== true || user?.username === undefined) return undefined;
      return { username: user.username, groups: user.groups ?? [], ...(user.uid === undefined ? {} : { uid: user.uid }) };
    });
  }

  async #isAllowed(user: UserInfo, verb: string, subresource: string): Promise<boolean> {
    const review = await this.#client.of(subjectAccessReviews).create({
      metadata: {},
      spec: {
        user: user.username,
        groups: [...user.groups],
        resourceAttributes: { verb, version: 'v1', resource: 'nodes', subresource, name: this.#nodeName },
      },
    });
    return review.status?.allowed === true;
  }

  async #remember<T>(key: string, ask: () => Promise<T>): Promise<T> {
    const now = this.#clock.now();
    const known = this.#remembered.get(key);
    if (known !== undefined && known.untilMs > now) return known.value as Promise<T>;
    const value = ask();
    this.#remembered.delete(key);
    this.#remembered.set(key, { untilMs: now + rememberMs, value });
    if (this.#remembered.size > maxRemembered) this.#remembered.delete(this.#remembered.keys().next().value ?? '');
    // A question that could not be asked is asked again.
    value.catch(() => this.#remembered.delete(key));
    return value;
  }
}

function subresourceOf(path: string): string {
  for (const [prefix, subresource] of [
    ['/stats', 'stats'],
    ['/metrics', 'metrics'],
    ['/logs', 'log'],
  ] as const) {
    if (path === prefix || path.startsWith(`${prefix}/`)) return subresource;
  }
  return 'proxy';
}

/** The certificate's subject: CN is the user, O the groups (as everywhere in Kubernetes). */
function certificateUser(socket: TLSSocket): UserInfo | undefined {
  if (!socket.authorized) return undefined;
  const subject = socket.getPeerCertificate().subject as unknown as { CN?: string; O?: string | string[] } | undefined;
  if (subject?.CN === undefined) return undefined;
  const groups = subject.O === undefined ? [] : [subject.O].flat();
  return { username: subject.CN, groups: [...groups, 'system:authenticated'] };
}
