// Uses an SDK as an application would, then prints as JSON how many calls it made.
//   node drive.cjs ld-server|ld-client|statsig|statsig-core URL SPECS_JSON [--compress] [--diagnostics] [--pauses N] [--patient]
const [, , sdk, url, specs, ...options] = process.argv;
const has = (name) => options.includes(name);
const pauses = has('--pauses') ? Number(options[options.indexOf('--pauses') + 1]) : 0;
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const text = 'Zoë 😀 "quoted" \\ \u2028';

async function pause(number, ms) {
  process.stderr.write(`${number}\n`);
  await sleep(ms);
}

const drive = {
  'ld-server': async () => {
    const { init } = require('@launchdarkly/node-server-sdk');
    const { TestData } = require('@launchdarkly/node-server-sdk/integrations');
    const flags = new TestData();
    await flags.update(flags.flag('checkout').variations('red', 'blue').variationForAll(1));
    const client = init('sdk-demo', {
      eventsUri: url,
      updateProcessor: flags.getFactory(),
      diagnosticOptOut: !has('--diagnostics'),
      enableEventCompression: has('--compress'),
      application: { id: 'shop', version: '1.2.3' },
      logger: { error() {}, warn() {}, info() {}, debug() {} },
    });
    await client.waitForInitialization({ timeout: 10 });
    const calls = { custom: 0, identify: 0, evaluations: 0 };
    for (let user = 0; user < 10; user += 1) {
      const context = { kind: 'multi', user: { key: `u-${user}`, name: text }, org: { key: 'acme' } };
      client.identify(context);
      calls.identify += 1;
      await client.variation('checkout', context, 'red');
      await client.variationDetail('no-such-flag', context, false);
      calls.evaluations += 2;
      client.track('order-paid', context, { user, text, odd: 1e-7 }, 9.99);
      calls.custom += 1;
    }
    for (let number = 0; number < pauses; number += 1) {
      client.track('later', { kind: 'user', key: 'u' }, { number });
      calls.custom += 1;
      await client.flush();
      await pause(number, 250);
    }
    await client.flush();
    client.close();
    return calls;
  },
  'ld-client': async () => {
    const { initialize } = require('launchdarkly-node-client-sdk');
    const client = initialize('demo-client-side-id', { kind: 'user', key: 'u-1', name: text }, {
      eventsUrl: url,
      bootstrap: {
        checkout: 'blue',
        $valid: true,
        $flagsState: { checkout: { version: 3, variation: 1, trackEvents: true } },
      },
      diagnosticOptOut: true,
      logger: { error() {}, warn() {}, info() {}, debug() {} },
    });
    await client.waitForInitialization(10);
    const calls = { custom: 0, identify: 1, evaluations: 0 };
    for (let number = 0; number < 10; number += 1) {
      client.variation('checkout', 'red');
      calls.evaluations += 1;
      client.track('order-paid', { number, text }, 9.99);
      calls.custom += 1;
    }
    for (let number = 0; number < pauses; number += 1) {
      client.track('later', { number });
      calls.custom += 1;
      await client.flush();
      await pause(number, 250);
    }
    await client.flush();
    await client.close();
    return calls;
  },
  statsig: async () => {
    const statsig = require('statsig-node');
    await statsig.initialize('secret-demo', {
      api: `${url}/v1`,
      bootstrapValues: specs,
      environment: { tier: 'staging' },
      logLevel: 'none',
    });
    const calls = { gate: 0, custom: 0 };
    for (let number = 0; number < 12; number += 1) {
      const user = { userID: `u-${number}`, customIDs: { org: 'acme' } };
      statsig.checkGateSync(user, 'new_cart');
      statsig.logEvent(user, 'add_to_cart', number, { text });
      calls.gate += 1;
      calls.custom += 1;
    }
    for (let number = 0; number < pauses; number += 1) {
      statsig.logEvent({ userID: 'u' }, 'later', number);
      calls.custom += 1;
      statsig.flush().catch(() => {}); // not awaited, and without a time, after which it gives a retry up
      await pause(number, 400);
    }
    statsig.flush().catch(() => {});
    await sleep(has('--patient') ? 14000 : 2500); // its retries come after one second and ten more
    await statsig.shutdownAsync();
    return calls;
  },
  'statsig-core': async () => {
    const { Statsig, StatsigUser } = require('@statsig/statsig-node-core');
    const statsig = new Statsig('secret-demo', {
      logEventUrl: `${url}/v1/log_event`,
      specsUrl: `${url}/v2/download_config_specs`,
    });
    await statsig.initialize();
    const calls = { gate: 0, custom: 0 };
    for (let number = 0; number < 12; number += 1) {
      const user = new StatsigUser({ userID: `u-${number}`, customIDs: { org: 'acme' } });
      statsig.checkGate(user, 'new_cart');
      statsig.logEvent(user, 'add_to_cart', number, { text });
      calls.gate += 1;
      calls.custom += 1;
    }
    for (let number = 0; number < pauses; number += 1) {
      statsig.logEvent(new StatsigUser({ userID: 'u' }), 'later', String(number));
      calls.custom += 1;
      await statsig.flushEvents();
      await pause(number, 400);
    }
    await statsig.flushEvents();
    await statsig.shutdown();
    return calls;
  },
};

drive[sdk]().then((calls) => {
  process.stdout.write(`${JSON.stringify(calls)}\n`, () => process.exit(0));
});
