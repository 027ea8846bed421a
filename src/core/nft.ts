import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { errorText } from '#core/errors.ts';

const execute = promisify(execFile);
/** Thousands of rules take a second or two. */
const timeoutMs = 30_000;

/** Hands a script to `nft -f -`, which applies all of it or nothing. Rejects, saying why, when nft is missing, refuses or hangs. */
export async function applyNftScript(script: string): Promise<void> {
  const running = execute('nft', ['-f', '-'], { timeout: timeoutMs, killSignal: 'SIGKILL' });
  // nft may refuse before it has read everything; its exit says why.
  running.child.stdin?.on('error', () => {}).end(script);
  try {
    await running;
  } catch (error) {
    const { code, killed, stderr = '' } = error as Partial<{ code: string | number; killed: boolean; stderr: string }>;
    if (code === 'ENOENT') throw new Error('nft is not installed (package nftables)', { cause: error });
    const why = killed === true ? `did not end within ${timeoutMs / 1000} seconds` : `ended with ${code}: ${stderr.slice(0, 500).trim()}`;
    throw new Error(stderr === '' && killed !== true ? `nft failed: ${errorText(error)}` : `nft ${why}`, { cause: error });
  }
}
