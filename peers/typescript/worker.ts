/**
 * Serves the workflows whose histories `cargo xtask record-histories` records, with Temporal's TypeScript SDK.
 *
 * Prints `{"ready": true, "sdk": ...}`, serves until SIGTERM or SIGINT, and ends. With `--build-id` it is a versioned
 * worker.
 */

import { parseArgs } from 'node:util';
import { DefaultLogger, NativeConnection, Runtime, Worker, type WorkerDeploymentOptions } from '@temporalio/worker';
import { version } from '@temporalio/worker/package.json';
import * as activities from './activities';

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { address: { type: 'string' }, 'task-queue': { type: 'string' }, 'build-id': { type: 'string' } },
  });
  const { address, 'task-queue': taskQueue, 'build-id': buildId } = values;
  if (!address || !taskQueue) {
    throw new Error('--address and --task-queue must be given');
  }
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  const connection = await NativeConnection.connect({ address });
  const worker = await Worker.create({
    connection,
    taskQueue,
    identity: 'worker',
    activities,
    workflowsPath: require.resolve('./workflows'),
    dataConverter: { failureConverterPath: require.resolve('./failure-converter') },
    maxHeartbeatThrottleInterval: 100,
    workerDeploymentOptions: buildId ? deployment(buildId) : undefined,
  });
  const running = worker.run();
  console.log(JSON.stringify({ ready: true, sdk: `@temporalio/worker ${version} (npm)` }));
  await running;
  await connection.close();
}

function deployment(buildId: string): WorkerDeploymentOptions {
  return {
    useWorkerVersioning: true,
    version: { deploymentName: 'histories', buildId },
    defaultVersioningBehavior: 'PINNED',
  };
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
