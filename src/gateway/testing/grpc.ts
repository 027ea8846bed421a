import {
  Client,
  credentials,
  Metadata,
  Server,
  ServerCredentials,
  type MethodDefinition,
  type ServiceDefinition,
  type ServiceError,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';

/** A service of texts: what the messages are made of makes no difference to a proxy. */
function method(name: string, requestStream: boolean, responseStream: boolean): MethodDefinition<string, string> {
  const encode = (text: string) => Buffer.from(text);
  const decode = (bytes: Buffer) => bytes.toString();
  return {
    path: `/test.Echo/${name}`,
    requestStream,
    responseStream,
    requestSerialize: encode,
    requestDeserialize: decode,
    responseSerialize: encode,
    responseDeserialize: decode,
  };
}
const unary = method('Unary', false, false);
export const duplex = method('Duplex', true, true);
const service: ServiceDefinition = { Unary: unary, Duplex: duplex };

export interface TestServer extends AsyncDisposable {
  readonly port: number;
}

export async function startGrpcServer(implementation: UntypedServiceImplementation): Promise<TestServer> {
  const server = new Server();
  server.addService(service, implementation);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return {
    port,
    async [Symbol.asyncDispose]() {
      server.forceShutdown();
      await Promise.resolve();
    },
  };
}

export const grpcClient = (port: number): Client =>
  new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
    'grpc.default_authority': 'app.test',
    'grpc.max_receive_message_length': -1,
  });

/** A unary call: its answer, or the error it failed with. */
export function call(client: Client, text: string, deadlineMs = 10_000, metadata = new Metadata()): Promise<string | ServiceError> {
  return new Promise((resolve) => {
    const options = { deadline: Date.now() + deadlineMs };
    client.makeUnaryRequest(unary.path, unary.requestSerialize, unary.responseDeserialize, text, metadata, options, (error, answer) =>
      resolve(error ?? (answer as string)),
    );
  });
}
