#!/usr/bin/env node
// Plain JavaScript for Node 20 and newer: finds the Node the program needs (24 or newer: this one, or the one npm brought
// along), turns on the compile cache and starts the program there.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import * as nodeModule from 'node:module'; // by name, since Node 20 lacks enableCompileCache and would refuse the import
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const neededMajor = 24;
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const bundled = join(root, 'dist', 'dormouse.js');
const program = existsSync(bundled) ? bundled : join(root, 'src', 'cli', 'main.ts');

if (Number(process.versions.node.split('.')[0]) >= neededMajor) {
  nodeModule.enableCompileCache?.();
  await import(program);
} else {
  runOn(findNode());
}

function findNode() {
  const name = `node-${process.platform}-${process.arch}`;
  try {
    return join(dirname(nodeModule.createRequire(import.meta.url).resolve(`${name}/package.json`)), 'bin', 'node');
  } catch {
    console.error(`dormouse needs Node ${neededMajor} or newer; this is ${process.version} and the package ${name} is not installed.`);
    console.error(`Install Node ${neededMajor}, or install again without --omit=optional.`);
    process.exit(1);
  }
}

function runOn(node) {
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    console.error(`dormouse could not start ${node}: ${error.message}`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => {
    if (signal !== null) {
      process.removeAllListeners(signal);
      process.kill(process.pid, signal);
    } else process.exit(code ?? 1);
  });
}
