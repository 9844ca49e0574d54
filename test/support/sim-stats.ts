import { simulate } from './simulation/simulate.ts';
import { HONEST } from './simulation/sabotage.ts';
const counts: Record<string, number> = {};
const add=(k:string)=>{counts[k]=(counts[k]??0)+1};
const N=200; let events=0;
for (let seed=1; seed<=N; seed++){ let db:any; await simulate(seed, {...HONEST, database: now => (db = HONEST.database(now)),
 ledger: (l, d) => ({...l, apply: async (id, input, known) => { const a = await l.apply(id, input, known); if (a.refused) add('refused '+input.type+' '+a.refused); return a; }})});
 for (const row of db.rows.values()) { add('run '+row.run.state); for (const e of row.events) { add(e.type+(e.data.attempt>1&&e.type.endsWith('claimed')?' again':'')); if(e.type==='call.unknown') add('unknown: '+(e.data.error.message.startsWith('The process')?'died':'said')); } for (const c of row.calls) add('call '+c.effect+' '+c.state);} }
console.log(Object.entries(counts).sort().map(([k,v])=>k+': '+(v/N).toFixed(2)).join('\n'));
