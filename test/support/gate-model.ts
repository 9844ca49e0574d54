import type { GateInput, Ready } from '../../libs/runs/src/dispatch/gate.js';

interface Out {
  ticket: number;
  tenantId: string;
  cost: number;
  weight: number;
  finish: number;
}

/** What gate.lua should do, with lists that are searched from end to end, and for which no time passes. */
export class GateModel {
  #ready: Ready[] = [];
  #time = 0;
  #tickets = 0;
  readonly #shares = new Map<string, Ready['share']>();
  /** Virtual time of tenants with something ready and room. */
  readonly #joined = new Map<string, number>();
  readonly #idle = new Map<string, number>();
  readonly #parked = new Set<string>();
  readonly #leases = new Map<string, Set<number>>();
  readonly #out = new Map<string, Out>();
  readonly #capacities = new Map<string, number>();
  /** Let through, but not in the queue yet. */
  readonly sending = new Set<number>();
  /** In the queue's list. */
  readonly wait: number[] = [];

  get window(): number {
    return 2 * [...this.#capacities.values()].reduce((sum, one) => sum + one, 0);
  }

  get waiting(): number {
    return this.#ready.length;
  }

  leasesOf(tenantId: string): number {
    return this.#leases.get(tenantId)?.size ?? 0;
  }

  pass({ added = [], finished = [], capacity }: GateInput): { id: string; ticket: number }[] {
    for (const { id, ticket, cost } of finished) this.#finish(id, Number(ticket), cost);
    for (const ready of added) this.#add(ready);
    if (capacity) this.#capacities.set(capacity.consumer, capacity.hints);
    const through = [];
    while (this.wait.length + this.sending.size < this.window) {
      const [tenantId, own] = [...this.#joined].toSorted(
        ([a, x], [b, y]) => x - y || (a < b ? -1 : 1),
      )[0] ?? ['', 0];
      if (tenantId === '') break;
      const share = this.#shares.get(tenantId) ?? { weight: 1, maxInWork: null };
      if (this.leasesOf(tenantId) >= (share.maxInWork ?? Infinity)) {
        this.#joined.delete(tenantId);
        this.#parked.add(tenantId);
        this.#idle.set(tenantId, own);
      } else {
        through.push(this.#pop(tenantId, own, share));
      }
    }
    for (const [tenantId, own] of this.#idle) {
      if (own <= this.#time && through.length > 0) this.#idle.delete(tenantId);
    }
    return through;
  }

  #of(tenantId: string): Ready[] {
    return this.#ready
      .filter((ready) => ready.tenantId === tenantId)
      .toSorted((a, b) => a.place - b.place || (a.id < b.id ? -1 : 1));
  }

  #pop(tenantId: string, own: number, share: Ready['share']): { id: string; ticket: number } {
    const [first] = this.#of(tenantId);
    if (!first) throw new Error(`${tenantId} has nothing ready`);
    const { id, cost } = first;
    const { weight, maxInWork } = share;
    const ticket = this.#tickets++;
    const finish = own + cost / weight;
    this.#ready = this.#ready.filter((ready) => ready !== first);
    this.#time = Math.max(this.#time, own);
    this.#joined.delete(tenantId);
    if (this.#of(tenantId).length > 0) this.#joined.set(tenantId, finish);
    else this.#idle.set(tenantId, finish);
    this.#out.set(id, { ticket, tenantId, cost, weight, finish });
    this.sending.add(ticket);
    if (maxInWork !== null) {
      this.#leases.set(tenantId, (this.#leases.get(tenantId) ?? new Set()).add(ticket));
    }
    return { id, ticket };
  }

  #add(ready: Ready): void {
    const { id, tenantId, share } = ready;
    const out = this.#out.get(id);
    if (out) {
      if (this.wait.includes(out.ticket) || this.sending.has(out.ticket)) return;
      this.#endLease(out);
    }
    const before = this.#shares.get(tenantId);
    this.#shares.set(tenantId, share);
    if (before?.weight !== share.weight || before.maxInWork !== share.maxInWork) {
      this.#unpark(tenantId);
    }
    const same = this.#ready.find((one) => one.id === id);
    if (same) same.place = ready.place;
    else this.#ready.push({ ...ready });
    if (!same && this.#of(tenantId).length === 1) this.#join(tenantId);
  }

  #finish(id: string, ticket: number, cost: number | undefined): void {
    this.sending.delete(ticket);
    const out = this.#out.get(id);
    if (out?.ticket !== ticket) return;
    this.#out.delete(id);
    if (cost !== undefined) this.#charge(out, (cost - out.cost) / out.weight);
    this.#endLease(out);
  }

  #charge({ tenantId, finish }: Out, more: number): void {
    for (const times of [this.#joined, this.#idle]) {
      const own = times.get(tenantId);
      if (own !== undefined) return void times.set(tenantId, own + more);
    }
    if (finish + more > this.#time) this.#idle.set(tenantId, finish + more);
  }

  #endLease({ tenantId, ticket }: Out): void {
    if (this.#leases.get(tenantId)?.delete(ticket)) this.#unpark(tenantId);
  }

  #unpark(tenantId: string): void {
    if (this.#parked.delete(tenantId)) this.#join(tenantId);
  }

  #join(tenantId: string): void {
    this.#joined.set(tenantId, Math.max(this.#idle.get(tenantId) ?? 0, this.#time));
    this.#idle.delete(tenantId);
  }
}
