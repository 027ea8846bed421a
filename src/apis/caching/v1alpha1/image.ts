import { defineKind, resourceOf } from '#apis/definition.ts';
import { statusProperties, type KnativeStatus } from '#apis/knative/status.ts';
import { objectMetaSchema, type KubeObject } from '#apis/meta/object.ts';
import { list, object, required, string } from '#apis/schema.ts';

export const imageSchema = object('dev.knative.caching.v1alpha1.Image', {
  apiVersion: string(),
  kind: string(),
  metadata: objectMetaSchema,
  spec: object(null, {
    image: required(string()),
    serviceAccountName: string(),
    imagePullSecrets: list(object(null, { name: string() })),
  }),
  status: object(null, { ...statusProperties }),
});

/** A hint that an image is worth having on the nodes: one for each container of a revision. */
export interface CachedImage extends KubeObject {
  spec?: { image: string; serviceAccountName?: string; imagePullSecrets?: { name?: string }[] };
  status?: KnativeStatus;
}

export const imageDefinition = defineKind<CachedImage>({
  group: 'caching.internal.knative.dev',
  kind: 'Image',
  plural: 'images',
  categories: ['knative-internal', 'caching'],
  versions: [{ name: 'v1alpha1', schema: imageSchema, served: true, columns: [{ name: 'Image', type: 'string', value: '.spec.image' }] }],
});
export const cachedImages = resourceOf(imageDefinition);
