import { services, type Service } from '#apis/core/v1/service.ts';
import { gatewayService } from '#apis/dormouse/names.ts';
import { objectKey } from '#apis/meta/object.ts';
import type { Informer } from '#client/informer-types.ts';
import type { ControllerContext } from '#controller/controller.ts';

const httpPort = 80;
const [gatewayNamespace = '', gatewayName = ''] = gatewayService.split('/');

/** The port behind which the gateway answers plain HTTP, as the Service that stands for it says. */
export class PublicPort {
  readonly #services: Informer<Service>;

  constructor({ informers }: ControllerContext) {
    this.#services = informers.of(services);
  }

  /** `:8080` where the port is not the scheme's own, for the URLs people are shown. */
  get suffix(): string {
    const ports = this.#services.get(gatewayNamespace, gatewayName)?.spec.ports ?? [];
    const port = (ports.find(({ name = '' }) => name.startsWith('http') && name !== 'https') ?? ports[0])?.port ?? httpPort;
    return port === httpPort ? '' : `:${port}`;
  }

  /** Calls back when it has become another one. */
  onChange(changed: () => void): () => void {
    let last = this.suffix;
    return this.#services.on(({ object }) => {
      if (objectKey(object) !== gatewayService || this.suffix === last) return;
      last = this.suffix;
      changed();
    });
  }
}
