import { providerContract } from '#node/provider-contract.ts';
import { ProviderFixture, testPod } from '#node/testing/fixture.ts';

const programs = { runs: {}, 'exits 0': { exit: { code: 0, afterMs: 10 } }, 'exits 7': { exit: { code: 7, afterMs: 10 } } } as const;

providerContract('engine provider on a fake engine', async () => {
  const fixture = await ProviderFixture.create();
  return {
    provider: fixture.provider,
    pod(program, restartPolicy) {
      fixture.engine.programs.set('app', programs[program]);
      return testPod({ restartPolicy });
    },
    async until(condition) {
      await fixture.until(() => {
        void fixture.clock.advance(10);
        return condition();
      });
    },
    async restart() {
      await fixture.provider[Symbol.asyncDispose]();
      fixture.provider = fixture.newProvider();
      return fixture.provider;
    },
    [Symbol.asyncDispose]: () => fixture[Symbol.asyncDispose](),
  };
});
