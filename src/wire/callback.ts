/** Ends a Node stream's step with what became of a promise. */
export async function settleInto(
  promise: Promise<unknown>,
  callback: (error?: Error | null) => void,
  success: Error | null = null,
): Promise<void> {
  try {
    await promise;
  } catch (error) {
    callback(error as Error);
    return;
  }
  callback(success);
}
