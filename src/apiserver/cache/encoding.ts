import type { KubeObject } from '#apis/meta/object.ts';

const encoder = new TextEncoder();

/**
 * Text of an object as storage keeps it: `apiVersion`, `kind`, `metadata` first, without a resourceVersion. The revision
 * of the write that stored the text is the resourceVersion; `withResourceVersion` puts it in without parsing.
 */
export function encodeForStorage(object: KubeObject): string {
  const { apiVersion, kind, metadata, ...rest } = object;
  const { resourceVersion: _resourceVersion, selfLink: _selfLink, ...meta } = metadata;
  return JSON.stringify({ apiVersion, kind, metadata: meta, ...rest });
}

const marker = '"metadata":{';

/** The stored text with its resourceVersion. Nothing before `metadata` can contain the marker: kind and version are names. */
export function withResourceVersion(text: string, revision: number): string {
  const at = text.indexOf(marker) + marker.length;
  return `${text.slice(0, at)}"resourceVersion":"${revision}",${text.slice(at)}`;
}

/** UTF-8. */
export function utf8(text: string): Uint8Array {
  return encoder.encode(text);
}
