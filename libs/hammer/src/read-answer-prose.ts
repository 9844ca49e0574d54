/*
 * What prose says about calls, by small rules for English. They rather refuse calls that were meant, which costs one
 * more question to the model, than let calls pass that were not.
 */

/** Asks to be told something. */
export const plea =
  /\b(?:please|(?:could|can|would|will) you|need you to) (?:also |please )?(?:provide|specify|give|tell|supply|share|state|let me know)\b/i;

/** Says that no tool fits. */
export const noTool =
  /\b(?:none of the|no|any of the) (?!(?:other|further|additional|more) )(?:\w+ ){0,2}(?:tools?|functions?)\b/i;

/** The end of many an answer, that asks for nothing. */
const offer =
  /\b(?:(?:anything|something|what) (?:else|more)|let me know (?:if|whether))\b[^.!?\n]*[.!?]?/gi;

const takings = [
  noTool,
  plea,
  // Denials.
  /(?:\b(?:not|never|cannot|avoid|unable to|no need to)|n['’]t) (?:\w+ ){0,3}(?:call(?:ed|ing)?|us(?:e|ed|ing)|run|invok(?:e|ed|ing)|execut(?:e|ed|ing)|appl(?:y|ied|icable)|fit|match|help|do (?:this|that|it|so))\b/i,
  /\bno (?:\w+ )?calls?\b/i,
  /\b(?:ignore|disregard) (?:this|that|these|those|it)\b|\bscratch that\b|\bnever ?mind\b|\bwait,|(?<!\bnothing )\b(?:is|are|was|were) (?:wrong|incorrect|invalid|a mistake|missing)\b/i,
  // Examples and formats.
  /\bexamples?\b(?!\.\w)|\be\.g\.|\bfor instance\b|\bhypothetical|\bplaceholders?\b|\bsomething like\b|\blooks? like (?:this|so)\b/i,
  /\b(?:format|syntax|template|schema|structure) (?:\w+ ){0,2}(?:is|are|would|should|could|must|looks?)\b/i,
  /^\W{0,9}(?:the )?(?:\w+ )?(?:format|syntax|template|usage) ?:/im,
  /\b(?:would|could) (?:be|look)\b|\byou (?:would|could|can|might) (?:\w+ )?(?:call|use|run)\b/i,
  /\b(?:if|once|when|unless|until) you (?:want|wish|like|prefer|provide|give|tell|share|specify|confirm|agree)\b/i,
  // Questions, in any language.
  /[^\s.!?？؟][^.!?？؟\n]{0,40}[?？؟](?=[\s"'”’)*_`]|$)/m,
];

/**
 * The words by which prose around calls takes them back, if any: it denies them, speaks of an example or a format, or
 * asks for something ("Anything else?" is no such question).
 */
export function takesBack(prose: string): string | undefined {
  const said = prose.replace(offer, '');
  for (const taking of takings) {
    const words = taking.exec(said)?.[0];
    if (words !== undefined) return words.trim();
  }
  return undefined;
}
