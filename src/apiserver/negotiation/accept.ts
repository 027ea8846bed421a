import { apiError } from '#apiserver/errors.ts';

/** What shape of answer the client asked for. */
export type AnswerShape =
  | { readonly as: 'object' }
  | { readonly as: 'table'; readonly version: string }
  | { readonly as: 'metadata'; readonly version: string };

export interface MediaRange {
  readonly type: string;
  readonly parameters: Readonly<Record<string, string>>;
}

const object: AnswerShape = { as: 'object' };
const accepted = 'application/json, application/yaml, application/vnd.kubernetes.protobuf';

/** Media ranges of an Accept header, best quality first, in order of appearance among equals (RFC 9110 §12.5.1). */
export function parseAccept(header: string | undefined): readonly MediaRange[] {
  if (header === undefined || header.trim() === '') return [];
  const ranges = header.split(',').flatMap((part) => {
    const [type = '', ...rest] = part.split(';').map((piece) => piece.trim());
    if (type === '') return [];
    const parameters = Object.fromEntries(
      rest.map((pair) => {
        const [name = '', value = ''] = pair.split('=', 2);
        return [name.trim().toLowerCase(), value.trim().replaceAll('"', '')];
      }),
    );
    const quality = parameters['q'] === undefined ? 1 : Number(parameters['q']);
    return Number.isNaN(quality) || quality <= 0 ? [] : [{ type: type.toLowerCase(), parameters, quality }];
  });
  return ranges.sort((a, b) => b.quality - a.quality);
}

/**
 * The first shape of the header that the server can give. Everything is answered in JSON; ranges for protobuf are passed
 * over, and 406 is the answer only when nothing else is acceptable.
 */
export function negotiateShape(header: string | undefined): AnswerShape {
  const ranges = parseAccept(header);
  if (ranges.length === 0) return object;
  for (const range of ranges) {
    if (!acceptsJson(range)) continue;
    const shape = shapeOf(range);
    if (shape !== undefined) return shape;
  }
  throw apiError('notAcceptable', accepted);
}

/** Whether a range covers `application/json`. */
function acceptsJson(range: MediaRange): boolean {
  return range.type === 'application/json' || range.type === '*/*' || range.type === 'application/*';
}

function shapeOf({ parameters }: MediaRange): AnswerShape | undefined {
  const { as, g: group = '', v: version = '' } = parameters;
  if (as === undefined || as === '') return object;
  if (group !== 'meta.k8s.io' || (version !== 'v1' && version !== 'v1beta1')) return undefined;
  if (as === 'Table') return { as: 'table', version };
  if (as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList') return { as: 'metadata', version };
  return undefined;
}
