import { ConfigStore } from '#controller/config-store.ts';
import type { ControllerContext } from '#controller/controller.ts';
import { errorText } from '#core/errors.ts';
import type { Logger } from '#core/logger.ts';
import type { Proxy } from '#gateway/proxy/proxy.ts';
import { accessLog } from '#gateway/stats/access-log.ts';

/** Follows `logging.enable-request-log` and `logging.request-log-template` of config-observability; without a template it is JSON. */
export class RequestLogSync {
  readonly #config: ConfigStore;
  readonly #proxy: Proxy;
  readonly #logger: Logger;
  readonly #write: (line: string) => void;

  /** Before the informers start, so that they wait for the ConfigMap too. */
  constructor(context: ControllerContext, proxy: Proxy, write: (line: string) => void) {
    this.#config = new ConfigStore(context);
    this.#proxy = proxy;
    this.#logger = context.logger;
    this.#write = write;
  }

  start(): void {
    this.#config.onChange(['config-observability'], () => this.#apply());
    this.#apply();
  }

  #apply(): void {
    const settings = this.#config.get('config-observability');
    const template = settings['logging.request-log-template'];
    const write = this.#write;
    if (!settings['logging.enable-request-log']) return this.#proxy.setAccessLog(undefined);
    try {
      this.#proxy.setAccessLog(accessLog(template === '' ? { format: 'json', write } : { format: 'template', template, write }));
    } catch (error) {
      this.#logger.error('the request log stays as it was', { reason: errorText(error) });
    }
  }
}
