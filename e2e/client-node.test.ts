import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import * as k8s from '@kubernetes/client-node';
import { withoutKubectl } from './support/kubectl.ts';
import { startPlatform, type TestPlatform } from './support/platform.ts';
import { until } from './support/run.ts';
import { widgetDefinition } from './support/widget-definition.ts';

interface Widget extends k8s.KubernetesObject {
  spec?: Record<string, unknown>;
  status?: Record<string, unknown>;
}

const [group, version, namespace, plural] = ['factory.example.com', 'v1', 'default', 'widgets'] as const;
const route = { group, version, namespace, plural };
const mergePatch = k8s.setHeaderOptions('Content-Type', k8s.PatchStrategy.MergePatch);

const widget = (name: string, spec: object, apiVersion = `${group}/v1`): Widget & object => ({
  apiVersion,
  kind: 'Widget',
  metadata: { name, namespace },
  spec: { ...spec },
});

/** Status and message of the refusal an API call ends with. */
async function refusal(call: Promise<unknown>): Promise<{ code: number; message: string }> {
  try {
    await call;
  } catch (error) {
    if (!(error instanceof k8s.ApiException)) throw error;
    const body: unknown = typeof error.body === 'string' ? JSON.parse(error.body) : error.body;
    return { code: error.code, message: String((body as { message?: unknown }).message) };
  }
  throw new Error('the call was not refused');
}

describe('@kubernetes/client-node', () => {
  let platform: TestPlatform;
  let config: k8s.KubeConfig;
  let custom: k8s.CustomObjectsApi;
  let core: k8s.CoreV1Api;

  before(async () => {
    platform = await startPlatform();
    config = new k8s.KubeConfig();
    config.loadFromFile(platform.kubeconfig);
    custom = config.makeApiClient(k8s.CustomObjectsApi);
    core = config.makeApiClient(k8s.CoreV1Api);
    const extensions = config.makeApiClient(k8s.ApiextensionsV1Api);
    // As a custom object: the typed call would drop the schema's x-kubernetes-… words, which are spelled otherwise in its types.
    const definitions = { group: 'apiextensions.k8s.io', version: 'v1', plural: 'customresourcedefinitions' };
    await custom.createClusterCustomObject({ ...definitions, body: widgetDefinition });
    await until('the definition to be established', async () => {
      const { status } = await extensions.readCustomResourceDefinition({ name: widgetDefinition.metadata.name });
      return status?.conditions?.some(({ type, status: is }) => type === 'Established' && is === 'True') === true ? true : undefined;
    });
  });
  after(() => platform?.[Symbol.asyncDispose]());

  const create = (body: Widget): Promise<Widget> => custom.createNamespacedCustomObject({ ...route, body });
  const get = (name: string): Promise<Widget> => custom.getNamespacedCustomObject({ ...route, name });
  const patch = (name: string, body: object): Promise<Widget> => custom.patchNamespacedCustomObject({ ...route, name, body }, mergePatch);

  it('an informer sees objects come, change and go, and keeps what there is', async () => {
    const list = () => core.listNamespacedConfigMap({ namespace, labelSelector: 'seen=yes' });
    const informer = k8s.makeInformer(config, `/api/v1/namespaces/${namespace}/configmaps`, list, 'seen=yes');
    const events: string[] = [];
    for (const verb of [k8s.ADD, k8s.UPDATE, k8s.DELETE] as const) {
      informer.on(verb, (object: k8s.V1ConfigMap) => events.push(`${verb} ${object.metadata?.name} ${object.data?.['n'] ?? ''}`.trim()));
    }
    informer.on(k8s.ERROR, (error: unknown) => events.push(`error ${String(error)}`));
    const configMap = (name: string, n: string): k8s.V1ConfigMap => ({ metadata: { name, labels: { seen: 'yes' } }, data: { n } });
    await core.createNamespacedConfigMap({ namespace, body: configMap('old', '1') });
    await informer.start();
    try {
      await core.createNamespacedConfigMap({ namespace, body: configMap('new', '1') });
      await core.createNamespacedConfigMap({ namespace, body: { metadata: { name: 'unseen' } } });
      await core.replaceNamespacedConfigMap({ namespace, name: 'new', body: configMap('new', '2') });
      await core.deleteNamespacedConfigMap({ namespace, name: 'old' });
      await core.patchNamespacedConfigMap({ namespace, name: 'new', body: { metadata: { labels: { seen: null } } } }, mergePatch);
      await until('five events', () => (events.length >= 5 ? true : undefined), 10_000);
      assert.deepEqual(events, ['add old 1', 'add new 1', 'update new 2', 'delete old 1', 'delete new 2']);
      assert.deepEqual(informer.list(), []);
    } finally {
      await informer.stop();
    }
  });

  it('an informer follows custom resources', async () => {
    const list = async (): Promise<k8s.KubernetesListObject<Widget>> => custom.listNamespacedCustomObject(route);
    const informer = k8s.makeInformer<Widget>(config, `/apis/${group}/${version}/namespaces/${namespace}/${plural}`, list);
    await informer.start();
    try {
      await create(widget('followed', { color: 'red' }));
      await until('the widget to be seen', () => informer.get('followed', namespace));
      await patch('followed', { spec: { replicas: 3 } });
      await until('its change to be seen', () => (informer.get('followed', namespace)?.spec?.['replicas'] === 3 ? true : undefined));
      await custom.deleteNamespacedCustomObject({ ...route, name: 'followed' });
      await until('it to be gone', () => (informer.get('followed', namespace) === undefined ? true : undefined));
    } finally {
      await informer.stop();
    }
  });

  it('defaults are filled in and unknown fields are pruned, at every depth', async () => {
    const parts = [{ name: 'wheel', shiny: true }];
    const made = await create(widget('full', { color: 'red', unknown: 1, box: { other: 2 }, parts, raw: { kept: { as: ['is'] } } }));
    assert.deepEqual(made.spec, {
      color: 'red',
      replicas: 1,
      limit: 10,
      size: '50%',
      box: { width: 4 },
      parts: [{ name: 'wheel', count: 1 }],
      raw: { kept: { as: ['is'] } },
    });
    assert.deepEqual((await get('full')).spec, made.spec);
    const strict = custom.createNamespacedCustomObject({
      ...route,
      fieldValidation: 'Strict',
      body: widget('strict', { color: 'red', unknown: 1 }),
    });
    const { code, message } = await refusal(strict);
    assert.equal(code, 400);
    assert.match(message, /strict decoding error: unknown field "spec\.unknown"$/);
  });

  it('schemas and rules refuse what is wrong, naming the field', async () => {
    const wrong: readonly (readonly [object, RegExp])[] = [
      [{ color: 'pink' }, /spec\.color: Unsupported value: "pink": supported values: "red", "green", "blue"/],
      [{}, /spec\.color: Required value/],
      [{ color: 'red', replicas: 11 }, /spec\.replicas: Invalid value: .*at most 10 replicas/],
      [{ color: 'red', parts: [{ name: 'a' }, { name: 'a' }] }, /spec\.parts\[1\]: Duplicate value: \{"name":"a"\}/],
      [{ color: 'red', parts: [{ name: 'A' }] }, /spec\.parts\[0\]\.name: Invalid value: "A": .* should match '\^\[a-z\]\+\$'/],
      [{ color: 'red', notes: 'n'.repeat(21) }, /spec\.notes: Too long: may not be more than 20/],
      [{ color: 'red', size: true }, /spec\.size: Invalid value: "boolean"/],
    ];
    for (const [spec, text] of wrong) {
      const { code, message } = await refusal(create(widget('wrong', spec)));
      assert.equal(code, 422, message);
      assert.match(message, text);
    }
    const { message } = await refusal(patch('full', { spec: { color: 'blue' } }));
    assert.match(message, /spec\.color: Invalid value: "string": color is immutable/);
  });

  it('each version shows the same object', async () => {
    const old = { ...route, version: 'v1beta1' };
    await custom.createNamespacedCustomObject({ ...old, body: widget('both', { color: 'green' }, `${group}/v1beta1`) });
    assert.equal((await get('both')).apiVersion, `${group}/v1`);
    const seen: Widget = await custom.getNamespacedCustomObject({ ...old, name: 'both' });
    assert.deepEqual([seen.apiVersion, seen.spec?.['color']], [`${group}/v1beta1`, 'green']);
  });

  it('status and scale are apart from spec', async () => {
    const name = 'full';
    const { metadata } = await get(name);
    await patch(name, { status: { replicas: 9 } });
    assert.equal((await get(name)).status, undefined);
    const body = { spec: { replicas: 7 }, status: { replicas: 2, selector: 'app=full', conditions: [{ type: 'Ready', status: 'True' }] } };
    const written: Widget = await custom.patchNamespacedCustomObjectStatus({ ...route, name, body }, mergePatch);
    assert.deepEqual([written.spec?.['replicas'], written.status?.['replicas']], [1, 2]);
    assert.equal(written.metadata?.generation, metadata?.generation);
    const scale: k8s.V1Scale = await custom.getNamespacedCustomObjectScale({ ...route, name });
    assert.deepEqual([scale.kind, scale.spec?.replicas, scale.status], ['Scale', 1, { replicas: 2, selector: 'app=full' }]);
    await custom.patchNamespacedCustomObjectScale({ ...route, name, body: { spec: { replicas: 4 } } }, mergePatch);
    const scaled = await get(name);
    assert.deepEqual([scaled.spec?.['replicas'], scaled.metadata?.generation], [4, (metadata?.generation ?? 0) + 1]);
  });

  it('server-side apply merges lists by their keys and keeps owners apart', async () => {
    const objects = k8s.KubernetesObjectApi.makeApiClient(config);
    const apply = (manager: string, spec: object): Promise<Widget> =>
      objects.patch(widget('applied', spec), undefined, undefined, manager, false, k8s.PatchStrategy.ServerSideApply);
    await apply('one', { color: 'red', parts: [{ name: 'a', count: 2 }] });
    const both = await apply('two', { color: 'red', parts: [{ name: 'b' }] });
    assert.deepEqual(both.spec?.['parts'], [
      { name: 'a', count: 2 },
      { name: 'b', count: 1 },
    ]);
    const conflict = await refusal(apply('two', { color: 'red', parts: [{ name: 'a', count: 3 }] }));
    assert.equal(conflict.code, 409);
    assert.match(conflict.message, /conflict with "one": \.spec\.parts\[name="a"\]\.count/);
    const left = await apply('one', { color: 'red' });
    assert.deepEqual(left.spec?.['parts'], [{ name: 'b', count: 1 }]);
  });

  it('lists select by field, and print the definition’s columns', { skip: withoutKubectl }, async () => {
    const reds: { items: Widget[] } = await custom.listNamespacedCustomObject({ ...route, fieldSelector: 'spec.color=green' });
    assert.deepEqual(
      reds.items.map(({ metadata }) => metadata?.name),
      ['both'],
    );
    assert.match(await platform.kubectl(['get', 'wd', 'full']), /^NAME +COLOR +WANTED +READY +AGE\nfull +red +4 +True +\d+s\n$/);
    assert.match(await platform.kubectl(['get', 'factory', '-o', 'wide']), /^NAME +COLOR +WANTED +READY +NOTES +AGE\n/);
    const { stderr } = await platform.tryKubectl(['get', 'widgets.v1beta1.factory.example.com']);
    assert.match(stderr, /Warning: factory\.example\.com\/v1beta1 Widget is going away; use v1/);
  });

  it('a definition that goes takes its objects along', async () => {
    const extensions = config.makeApiClient(k8s.ApiextensionsV1Api);
    await extensions.deleteCustomResourceDefinition({ name: widgetDefinition.metadata.name });
    await until('the resource to be gone', async () =>
      (await refusal(get('full')).catch(() => undefined))?.code === 404 ? true : undefined,
    );
    await until('the definition to be gone', async () => {
      const { items } = await extensions.listCustomResourceDefinition();
      return items.some(({ metadata }) => metadata?.name === widgetDefinition.metadata.name) ? undefined : true;
    });
  });
});
