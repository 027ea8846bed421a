import type { ControllerModule } from '#controller/controller.ts';
import { configurationController } from '#serving/configuration/reconciler.ts';
import { domainMappingController } from '#serving/domain-mapping/reconciler.ts';
import { gcController } from '#serving/gc/reconciler.ts';
import { labelerController } from '#serving/labeler/reconciler.ts';
import type { ImageResolver } from '#serving/revision/digests.ts';
import { revisionController } from '#serving/revision/reconciler.ts';
import { namespaceCertificateController } from '#serving/namespace-certificate/reconciler.ts';
import { routeController } from '#serving/route/reconciler.ts';
import { serverlessServiceController } from '#serving/serverless-service/reconciler.ts';
import { serviceController } from '#serving/service/reconciler.ts';

export { certificateController } from '#serving/certificate/reconciler.ts';
export type { ImageResolver, ImageUser } from '#serving/revision/digests.ts';

/** The controllers of Knative Serving but the autoscaler's; the front door of this part. */
export function servingControllers(resolver: ImageResolver): readonly ControllerModule[] {
  return [
    serviceController,
    configurationController,
    revisionController(resolver),
    routeController,
    domainMappingController,
    labelerController,
    serverlessServiceController,
    gcController,
    namespaceCertificateController,
  ] as readonly ControllerModule[];
}
