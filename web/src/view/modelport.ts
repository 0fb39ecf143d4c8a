// What the administrators' page of models asks of the state behind it.

/** An input or output, as a model declares it. A negative size is any size. */
export interface TensorSpec {
  name: string;
  /** as the Open Inference Protocol names it: FP32, INT64, BYTES, … */
  datatype: string;
  shape: number[];
}

export interface Tensor extends TensorSpec {
  data: unknown;
}

export interface ModelWorker {
  state: 'starting' | 'ready' | 'busy' | 'waiting to be started again' | 'failed' | 'stopped';
  pid?: number;
  started?: string;
  memory_bytes?: number;
  answered: number;
  restarts: number;
  last_error?: string;
  /** the end of what it wrote to its standard error */
  output?: string;
  /** the same of the one before it; of one that hung, where it was */
  last_output?: string;
}

/** Something that the supervisor did to a worker, or saw of it. */
export interface WorkerEvent {
  at: string;
  kind: 'started' | 'ready' | 'ended' | 'replaced' | 'failed' | 'quarantined' | 'loaded' | 'unloaded' | 'reloaded';
  worker?: number;
  /** in English */
  reason?: string;
}

/** How far one thing that a version is asked or answers is from what it was. */
export interface Drift {
  /** of what it is asked; else of what it answers */
  input: boolean;
  name: string;
  kind: 'length' | 'text' | 'number' | 'column' | 'largest' | 'norm' | 'likeness';
  /** from 0; absent: 0 */
  column?: number;
  baseline: 'none' | 'file' | 'first' | 'taken';
  /** when the baseline was made */
  since?: string;
  samples: number;
  needed: number;
  /** population stability index; absent: there are too few samples */
  index?: number;
}

export interface ModelVersion {
  version: number;
  state: 'starting' | 'ready' | 'failed' | 'unloaded';
  description?: string;
  licence?: string;
  inputs: TensorSpec[];
  /** inputs that can be tried */
  example?: Tensor[];
  ready: number;
  workers: number;
  failed?: string;
  waiting: number;
  requests: number;
  errors: number;
  p50_ms: number;
  p95_ms: number;
  restarts: number;
  memory_bytes: number;
  memory_limit_bytes: number;
  last_error?: string;
  sandbox?: string[];
  drift: Drift[];
  processes: ModelWorker[];
  events: WorkerEvent[];
}

export type SplitUnit = 'user' | 'room' | 'device';

/** Which versions of a model answer whom. */
export interface ModelRouting {
  default?: number;
  previous?: number;
  candidate?: number;
  percent?: number;
  by?: SplitUnit;
  auto?: boolean;
  since?: string;
  pins?: Record<string, number>;
  shadow?: number;
  shadow_percent?: number;
  reason?: string;
  refused?: number[];
}

export interface Model {
  name: string;
  /** the version that answers whom no candidate does; 0: none */
  answers: number;
  routing: ModelRouting;
  versions: ModelVersion[];
}

export interface ModelList {
  on: boolean;
  /** why none run, in English */
  detail?: string;
  sandbox: 'best-effort' | 'required' | 'off';
  items: Model[];
  folders: { folder: string; reason: string }[];
}

export interface ModelChange {
  action: 'promote' | 'rollback' | 'pin' | 'shadow' | 'reload' | 'load' | 'unload' | 'baseline';
  version?: number;
  percent?: number;
  by?: SplitUnit;
  auto?: boolean;
  unit?: string;
}

export interface ModelAnswer {
  version: number;
  variant: 'default' | 'candidate' | 'pinned';
  took_ms: number;
  outputs: Tensor[];
}
