#!/usr/bin/env node
// Plain JavaScript for Node 20 and newer: finds the Node the program needs (24 or newer: this one, or the one npm brought
// along), turns on the compile cache and starts the program there.
import { spawn } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import * as nodeModule from 'node:module'; // by name, since Node 20 lacks enableCompileCache and would refuse the import
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const neededMajor = 24;
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const bundled = join(root, 'dist', 'dormouse.js');
const program = existsSync(bundled) ? bundled : join(root, 'src', 'cli', 'main.ts');

// For this process and, through the environment, all that it starts: compiled (and stripped of types) once, not by each process.
process.env.NODE_COMPILE_CACHE ??= compileCache();

if (Number(process.versions.node.split('.')[0]) >= neededMajor) {
  nodeModule.enableCompileCache?.(process.env.NODE_COMPILE_CACHE);
  await import(program);
} else {
  runOn(findNode());
}

/** Never in a directory that others can write: what lies there is run. In a checkout its own `.cache`, else the user's. */
function compileCache() {
  try {
    accessSync(join(root, 'src'), constants.W_OK);
    return join(root, '.cache', 'compile');
  } catch {
    return join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'dormouse', 'compile');
  }
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
