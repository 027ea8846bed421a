import { services, type Service } from '#apis/core/v1/service.ts';
import { gatewayService } from '#apis/dormouse/names.ts';
import { objectKey } from '#apis/meta/object.ts';
import type { Informer } from '#client/informer-types.ts';
import type { ControllerContext } from '#controller/controller.ts';

/** `:8080` where a scheme's port is not its own, for the URLs people are shown; else empty. */
export interface UrlPorts {
  readonly http: string;
  readonly https: string;
}

const [gatewayNamespace = '', gatewayName = ''] = gatewayService.split('/');

/** The ports behind which the gateway answers, as the Service that stands for it says. */
export class PublicPort {
  readonly #services: Informer<Service>;

  constructor({ informers }: ControllerContext) {
    this.#services = informers.of(services);
  }

  get suffixes(): UrlPorts {
    const ports = this.#services.get(gatewayNamespace, gatewayName)?.spec.ports ?? [];
    const http = ports.find(({ name = '' }) => name.startsWith('http') && name !== 'https') ?? ports[0];
    const https = ports.find(({ name }) => name === 'https');
    return { http: suffix(http?.port, 80), https: suffix(https?.port, 443) };
  }

  /** Calls back when they have become others. */
  onChange(changed: () => void): () => void {
    let last = JSON.stringify(this.suffixes);
    return this.#services.on(({ object }) => {
      if (objectKey(object) !== gatewayService) return;
      const now = JSON.stringify(this.suffixes);
      if (now === last) return;
      last = now;
      changed();
    });
  }
}

const suffix = (port: number | undefined, usual: number): string => (port === undefined || port === usual ? '' : `:${port}`);
