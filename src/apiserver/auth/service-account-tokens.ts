import { createHash, randomUUID } from 'node:crypto';
import { importPKCS8, importSPKI, jwtVerify, SignJWT, type JWTPayload } from 'jose';
import type { UserInfo } from '#apis/definition.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import { objectKeyOf, type WatchCache } from '#apiserver/cache/watch-cache.ts';
import type { Clock } from '#core/clock.ts';

const algorithm = 'ES256';
const prefix = 'system:serviceaccount:';
const maxRemembered = 2000;

/** PEM: PKCS#8 and SPKI of one P-256 key. */
export interface TokenKeys {
  readonly privateKey: string;
  readonly publicKey: string;
}

/** Object a token is tied to: it dies with it. */
export interface BoundObject {
  readonly kind: 'Pod' | 'Secret' | 'Node';
  readonly name: string;
  readonly uid: string;
  /** Of a pod: where it runs. */
  readonly node?: { readonly name: string; readonly uid?: string };
}

export interface TokenGrant {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly audiences: readonly string[];
  readonly expirationSeconds: number;
  readonly bound?: BoundObject;
}

/** Kubernetes' private claims (KEP-1205). */
interface KubernetesClaims {
  readonly namespace: string;
  readonly serviceaccount: { readonly name: string; readonly uid: string };
  readonly pod?: { readonly name: string; readonly uid: string };
  readonly secret?: { readonly name: string; readonly uid: string };
  readonly node?: { readonly name: string; readonly uid?: string };
}
type Claims = JWTPayload & { 'kubernetes.io'?: KubernetesClaims };

function serviceAccountUser(namespace: string, name: string, uid?: string): UserInfo {
  return {
    username: `${prefix}${namespace}:${name}`,
    ...(uid === undefined ? {} : { uid }),
    groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
  };
}

/**
 * Makes and checks ServiceAccount tokens. A token is good while its signature, time and audience are, and while its
 * ServiceAccount and the object it is bound to still exist with the same uid.
 */
export class ServiceAccountTokens {
  readonly #cache: WatchCache;
  readonly #clock: Clock;
  readonly #privateKey: Awaited<ReturnType<typeof importPKCS8>>;
  readonly #publicKey: Awaited<ReturnType<typeof importSPKI>>;
  readonly issuer: string;
  /** Claims of tokens whose signature was checked before, by hash; the oldest go first. */
  readonly #verified = new Map<string, Claims>();

  private constructor(
    cache: WatchCache,
    clock: Clock,
    issuer: string,
    privateKey: Awaited<ReturnType<typeof importPKCS8>>,
    publicKey: Awaited<ReturnType<typeof importSPKI>>,
  ) {
    this.#cache = cache;
    this.#clock = clock;
    this.issuer = issuer;
    this.#privateKey = privateKey;
    this.#publicKey = publicKey;
  }

  static async open(cache: WatchCache, clock: Clock, issuer: string, keys: TokenKeys): Promise<ServiceAccountTokens> {
    const [privateKey, publicKey] = await Promise.all([importPKCS8(keys.privateKey, algorithm), importSPKI(keys.publicKey, algorithm)]);
    return new ServiceAccountTokens(cache, clock, issuer, privateKey, publicKey);
  }

  async issue(grant: TokenGrant): Promise<{ token: string; expiresMs: number }> {
    const now = Math.floor(this.#clock.now() / 1000);
    const { namespace, name, uid, bound } = grant;
    const claims: KubernetesClaims = {
      namespace,
      serviceaccount: { name, uid },
      ...(bound === undefined ? {} : { [bound.kind.toLowerCase()]: { name: bound.name, uid: bound.uid } }),
      ...(bound?.node === undefined ? {} : { node: bound.node }),
    };
    const expires = now + grant.expirationSeconds;
    const token = await new SignJWT({ 'kubernetes.io': claims })
      .setProtectedHeader({ alg: algorithm })
      .setIssuer(this.issuer)
      .setSubject(`${prefix}${namespace}:${name}`)
      .setAudience([...grant.audiences])
      .setIssuedAt(now)
      .setNotBefore(now)
      .setExpirationTime(expires)
      .setJti(randomUUID())
      .sign(this.#privateKey);
    return { token, expiresMs: expires * 1000 };
  }

  /** The user of a token meant for one of `audiences`, with the audiences they have in common; undefined when it is no good. */
  async authenticate(token: string, audiences: readonly string[]): Promise<{ user: UserInfo; audiences: string[] } | undefined> {
    const claims = await this.#verify(token);
    const kubernetes = claims?.['kubernetes.io'];
    if (claims === undefined || kubernetes === undefined || !this.#isAlive(kubernetes)) return undefined;
    const offered = typeof claims.aud === 'string' ? [claims.aud] : (claims.aud ?? []);
    const common = offered.filter((audience) => audiences.includes(audience));
    if (common.length === 0) return undefined;
    const { namespace, serviceaccount, pod, node } = kubernetes;
    const extra = {
      ...(claims.jti === undefined ? {} : { 'authentication.kubernetes.io/credential-id': [`JTI=${claims.jti}`] }),
      ...(pod === undefined
        ? {}
        : { 'authentication.kubernetes.io/pod-name': [pod.name], 'authentication.kubernetes.io/pod-uid': [pod.uid] }),
      ...(node === undefined ? {} : { 'authentication.kubernetes.io/node-name': [node.name] }),
    };
    return { user: { ...serviceAccountUser(namespace, serviceaccount.name, serviceaccount.uid), extra }, audiences: common };
  }

  async #verify(token: string): Promise<Claims | undefined> {
    const now = this.#clock.now();
    const hash = createHash('sha256').update(token).digest('base64');
    const known = this.#verified.get(hash);
    if (known !== undefined) return (known.exp ?? 0) * 1000 > now ? known : undefined;
    try {
      const { payload } = await jwtVerify(token, this.#publicKey, {
        issuer: this.issuer,
        algorithms: [algorithm],
        currentDate: new Date(now),
      });
      this.#verified.set(hash, payload);
      const oldest = this.#verified.keys().next().value;
      if (this.#verified.size > maxRemembered && oldest !== undefined) this.#verified.delete(oldest);
      return payload;
    } catch {
      return undefined;
    }
  }

  #isAlive({ namespace, serviceaccount, pod, secret, node }: KubernetesClaims): boolean {
    if (!this.#exists('serviceaccounts', namespace, serviceaccount)) return false;
    if (pod !== undefined) return this.#exists('pods', namespace, pod);
    if (secret !== undefined) return this.#exists('secrets', namespace, secret);
    return node?.uid === undefined || this.#exists('nodes', '', { name: node.name, uid: node.uid });
  }

  #exists(plural: string, namespace: string, { name, uid }: { name: string; uid: string }): boolean {
    const object: KubeObject | undefined = this.#cache.resource('', plural).get(objectKeyOf('', plural, namespace, name))?.object;
    return object?.metadata.uid === uid;
  }
}
