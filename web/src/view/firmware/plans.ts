import type { Plan, Stage } from '../firmwareport';

const hour = 3600;
const day = 24 * hour;

/** How carefully a rollout goes. */
export type Pace = 'careful' | 'quick' | 'all';

export const paces: readonly Pace[] = ['careful', 'quick', 'all'];

const stages: Record<Pace, Stage[]> = {
  careful: [
    { percent: 1, at_least: 5, soak: day },
    { percent: 5, soak: day },
    { percent: 25, soak: day },
    { percent: 100 },
  ],
  quick: [{ percent: 5, at_least: 5, soak: hour }, { percent: 25, soak: hour }, { percent: 100 }],
  all: [{ percent: 100 }],
};

export interface Wishes {
  pace: Pace;
  /** only devices with it */
  tag: string;
  /** only from two to five by the clock of each device */
  night: boolean;
  battery: boolean;
  consent: boolean;
  approval: boolean;
}

/** The plan for what somebody wishes. */
export function planOf(w: Wishes): Plan {
  return {
    stages: stages[w.pace],
    ...(w.tag.trim() && { target: { tag: w.tag.trim() } }),
    ...(w.night && { windows: [{ weekdays: [1, 2, 3, 4, 5, 6, 7], start: '02:00', minutes: 180 }] }),
    ...(w.battery && { require: { battery: 40 } }),
    ...(w.consent && { consent: true }),
    ...(w.approval && { approval: true }),
  };
}
