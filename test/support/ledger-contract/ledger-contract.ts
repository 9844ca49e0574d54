import { testAccepting } from './accepting.js';
import { testChanging } from './changing.js';
import { testFinding } from './finding.js';
import { Hands, type LedgerGround } from './ground.js';
import { testStates } from './states.js';

/** Tests what every ledger does. Its ground has two tenants, `default` and `other`, and may hold other runs. */
export function testLedger(groundOf: () => LedgerGround): void {
  const hands = new Hands(groundOf);
  testAccepting(hands);
  testStates(hands);
  testChanging(hands);
  // It deletes a tenant.
  testFinding(hands);
}
