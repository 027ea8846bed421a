import type { ApiResponse } from '#apiserver/request.ts';

/** As clients ask for it, and as it is named in the answer: the first is no valid media type. */
const asked = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf';
const contentType = asked.replace('@', '.');

/**
 * OpenAPI v2 without any definitions, in the only form in which kubectl reads it. kubectl asks for it where version 3 has no answer: for
 * a `kind: List` (what `kubectl get -o yaml` prints), whose items are then checked by us as they come, and in its versions before 1.29
 * for everything. A kind it does not find there it leaves to the server.
 */
export function openApiVersion2(accept: string | undefined): ApiResponse | undefined {
  if (accept === undefined || !accept.includes(asked)) return undefined;
  // openapiv2.Document of gnostic: swagger 1, info 2 (title 1, version 2), paths 8, definitions 9. No byte needs more than seven bits.
  const info = field(1, 'Kubernetes') + field(2, 'v2');
  const text = field(1, '2.0') + field(2, info) + field(8, '') + field(9, '');
  return { status: 200, headers: { vary: 'Accept' }, body: { kind: 'text', text, contentType } };
}

/** A length-delimited protobuf field of less than 128 bytes. */
function field(number: number, content: string): string {
  return String.fromCharCode((number << 3) | 2, content.length) + content;
}
