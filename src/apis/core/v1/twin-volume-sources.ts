import { boolean, int32, list, map, object, required, string, type Typed } from '#apis/schema.ts';

/**
 * Volumes that a pod and a PersistentVolume describe alike: their schemas differ in name and in how they refer to a Secret, which is in the
 * pod's namespace, or in any.
 */
export const cephFSSource = <R>(name: string, secretRef: Typed<R>) =>
  object(name, {
    monitors: [1, required(list(string()))],
    path: [2, string()],
    user: [3, string()],
    secretFile: [4, string()],
    secretRef: [5, secretRef],
    readOnly: [6, boolean()],
  });

export const cinderSource = <R>(name: string, secretRef: Typed<R>) =>
  object(name, {
    volumeID: [1, required(string())],
    fsType: [2, string()],
    readOnly: [3, boolean()],
    secretRef: [4, secretRef],
  });

export const flexSource = <R>(name: string, secretRef: Typed<R>) =>
  object(name, {
    driver: [1, required(string())],
    fsType: [2, string()],
    secretRef: [3, secretRef],
    readOnly: [4, boolean()],
    options: [5, map(string())],
  });

export const iscsiSource = <R>(name: string, secretRef: Typed<R>) =>
  object(name, {
    targetPortal: [1, required(string())],
    iqn: [2, required(string())],
    lun: [3, required(int32())],
    iscsiInterface: [4, string({ default: 'default' })],
    fsType: [5, string()],
    readOnly: [6, boolean()],
    portals: [7, list(string())],
    chapAuthDiscovery: [8, boolean()],
    secretRef: [10, secretRef],
    chapAuthSession: [11, boolean()],
    initiatorName: [12, string()],
  });

export const rbdSource = <R>(name: string, secretRef: Typed<R>) =>
  object(name, {
    monitors: [1, required(list(string()))],
    image: [2, required(string())],
    fsType: [3, string()],
    pool: [4, string({ default: 'rbd' })],
    user: [5, string({ default: 'admin' })],
    keyring: [6, string({ default: '/etc/ceph/keyring' })],
    secretRef: [7, secretRef],
    readOnly: [8, boolean()],
  });

export const scaleIOSource = <R>(name: string, secretRef: Typed<R>) =>
  object(name, {
    gateway: [1, required(string())],
    system: [2, required(string())],
    secretRef: [3, required(secretRef)],
    sslEnabled: [4, boolean()],
    protectionDomain: [5, string()],
    storagePool: [6, string()],
    storageMode: [7, string({ default: 'ThinProvisioned' })],
    volumeName: [8, string()],
    fsType: [9, string({ default: 'xfs' })],
    readOnly: [10, boolean()],
  });
