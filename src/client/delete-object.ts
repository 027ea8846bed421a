import type { KubeObject } from '#apis/meta/object.ts';
import { isReason } from '#apis/meta/status.ts';
import type { DeleteOptions, ResourceClient } from '#client/client.ts';

/** Deletes this very object, not one of its name that came after it. False when it is gone already. */
export async function deleteObject<T extends KubeObject>(
  client: ResourceClient<T>,
  { metadata }: T,
  options: DeleteOptions = {},
): Promise<boolean> {
  const { namespace, name = '', uid } = metadata;
  try {
    await client.delete(namespace, name, { ...options, ...(uid === undefined ? {} : { preconditions: { uid } }) });
    return true;
  } catch (error) {
    if (isReason(error, 'NotFound')) return false;
    throw error;
  }
}
