import { simulate } from './simulation/simulate.ts';
import { SABOTAGES, HONEST } from './simulation/sabotage.ts';
const [,, from='1', to='50', name] = process.argv;
const s = name ? SABOTAGES[name] : HONEST;
const t=performance.now(); let bad=0;
for (let seed=+from; seed<=+to; seed++){ const v=await simulate(seed, s); if(v.length){bad++; if(bad<=4) console.log(seed, v.slice(0,4));} }
console.log('bad',bad, Math.round(performance.now()-t),'ms');
