import { Writable } from 'node:stream';
import type { Command } from '#cli/command.ts';
import { runCommand } from '#cli/run-command.ts';

/** Keeps what is written to it. */
export class Sink extends Writable {
  text = '';

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += String(chunk);
    done();
  }
}

/** Runs words against a command table and gives back what a shell would see. */
export async function runWords(root: Command, words: readonly string[], signal = new AbortController().signal) {
  const [stdout, stderr] = [new Sink(), new Sink()];
  const code = await runCommand(root, words, { environment: {}, stdout, stderr, signal });
  return { code, stdout: stdout.text, stderr: stderr.text };
}
