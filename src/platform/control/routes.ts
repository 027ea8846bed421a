import { createReadStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ApiServer } from '#apiserver/request.ts';
import type { Metrics } from '#core/metrics.ts';

/** `/metrics` of the control process in Prometheus' text format; for those RBAC lets read it. */
export function addMetricsRoute(server: ApiServer, metrics: Metrics): void {
  server.addRoute({
    path: '/metrics',
    methods: ['GET'],
    async handle() {
      return {
        status: 200,
        headers: {},
        body: { kind: 'text', text: await metrics.expose(), contentType: 'text/plain; version=0.0.4; charset=utf-8' },
      };
    },
  });
}

export const backupPath = '/apis/dormouse.dev/v1/backup';

/** A copy of the database as of one revision. No role names this path: only cluster administrators may have it, as it holds every Secret. */
export function addBackupRoute(server: ApiServer, storage: { backup(toFile: string): Promise<void> }, database: string): void {
  server.addRoute({
    path: backupPath,
    methods: ['POST'],
    async handle() {
      const directory = await mkdtemp(join(dirname(database), 'backup-'));
      const file = join(directory, 'state.db');
      const remove = () => rm(directory, { recursive: true, force: true });
      try {
        await storage.backup(file);
      } catch (error) {
        await remove();
        throw error;
      }
      const chunks = createReadStream(file);
      chunks.once('close', () => void remove());
      return { status: 200, headers: {}, body: { kind: 'stream', chunks, contentType: 'application/octet-stream' } };
    },
  });
}
