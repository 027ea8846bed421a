import { localObjectReferenceSchema } from '#apis/core/v1/references.ts';
import { dormouseGroup } from '#apis/dormouse/names.ts';
import { defineKind, resourceOf } from '#apis/definition.ts';
import { imageReferenceError } from '#apis/knative/image-reference.ts';
import { kindSchema } from '#apis/meta/builtin.ts';
import { fieldInvalid } from '#apis/meta/field-error.ts';
import { list, object, required, string, type Infer } from '#apis/schema.ts';

const name = 'dev.dormouse.v1';

export const imageResolutionSpecSchema = object(`${name}.ImageResolutionSpec`, {
  image: required(string()),
  /** Its pull secrets are used too; `default` where it is not given. */
  serviceAccountName: string(),
  imagePullSecrets: list(localObjectReferenceSchema),
});
export interface ImageResolutionSpec extends Infer<typeof imageResolutionSpecSchema> {}

export const imageResolutionStatusSchema = object(`${name}.ImageResolutionStatus`, {
  /** `repository@sha256:…`; absent when the image cannot be had. */
  image: string(),
  /** Why it cannot be had, in the registry's words. */
  error: string(),
});
export interface ImageResolutionStatus extends Infer<typeof imageResolutionStatusSchema> {}

export const imageResolutionSchema = kindSchema(`${name}.ImageResolution`, {
  spec: imageResolutionSpecSchema,
  status: imageResolutionStatusSchema,
});
export interface ImageResolution extends Infer<typeof imageResolutionSchema> {}

/** The question which digest an image stands for now, asked with the pull secrets of its namespace; answered and never stored. */
export const imageResolutionDefinition = defineKind<ImageResolution>({
  group: dormouseGroup,
  kind: 'ImageResolution',
  plural: 'imageresolutions',
  verbs: ['create'],
  hasGeneration: false,
  hasStatus: false,
  versions: [{ name: 'v1', schema: imageResolutionSchema, served: true }],
  validate({ spec }) {
    const problem = imageReferenceError(spec.image);
    return problem === undefined ? [] : [fieldInvalid('spec.image', spec.image, problem)];
  },
});
export const imageResolutions = resourceOf(imageResolutionDefinition);
