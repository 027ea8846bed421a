import { leases } from '#apis/coordination/v1/lease.ts';
import { systemNamespace } from '#apis/dormouse/names.ts';
import { ifThere, isReason } from '#apis/meta/status.ts';
import type { Client } from '#client/client.ts';

/** The lease whose holder runs Knative's controllers. */
export const knativeLease = 'dormouse-controllers';
/** The control process, of which there is one: it does not stand for election, and its lease does not run out. */
const controlProcess = 'dormouse-control';
const foreverSeconds = 2 ** 31 - 1;

/**
 * Says in the lease whether the control process runs the controllers, so that processes of their own wait, or end their turn, while it
 * does. Its own lease is given back when it does not any more.
 */
export async function claimKnativeLease(client: Client, runsHere: boolean): Promise<void> {
  const resource = client.of(leases);
  const spec = { holderIdentity: runsHere ? controlProcess : '', leaseDurationSeconds: runsHere ? foreverSeconds : 1 };
  for (;;) {
    try {
      const found = await ifThere(resource.get(systemNamespace, knativeLease));
      const isHeld = found?.spec?.holderIdentity === controlProcess;
      if (isHeld === runsHere) return;
      if (found === undefined) await resource.create({ metadata: { namespace: systemNamespace, name: knativeLease }, spec });
      else await resource.update({ ...found, spec: { ...found.spec, ...spec } });
      return;
    } catch (error) {
      // A candidate renews or takes it at this very moment.
      if (!isReason(error, 'Conflict') && !isReason(error, 'AlreadyExists')) throw error;
    }
  }
}
