import type { GroupRule } from '../fleetport';
import { t } from '../text';

/** What the devices of a group have in common. */
export function ruleText(rule: GroupRule): string {
  return (['type', 'tag', 'model'] as const)
    .filter((k) => rule[k])
    .map((k) => t(`group.is-${k}`, { value: rule[k]! }))
    .join(' · ');
}
