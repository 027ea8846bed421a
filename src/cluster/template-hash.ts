import { createHash } from 'node:crypto';
import type { PodTemplateSpec } from '#apis/core/v1/pod.ts';
import { stableStringify } from '#machinery/deep.ts';

/** Letters and digits that make no words (k8s.io/apimachinery's rand.SafeEncodeString). */
const alphabet = 'bcdfghjklmnpqrstvwxz2456789';

/** A short name for a pod template: equal templates have equal hashes; a collision is told apart by `collisionCount`. */
export function templateHash(template: PodTemplateSpec | undefined, collisionCount = 0): string {
  const digest = createHash('sha256').update(stableStringify(template)).update(String(collisionCount)).digest();
  return Array.from(digest.subarray(0, 10), (byte) => alphabet[byte % alphabet.length]).join('');
}
