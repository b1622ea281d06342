/* SPDX-License-Identifier: MIT */
/* `doctor --json`. Codes of findings are for programs and do not change; texts are for people and
 * may. */
#include "cli/doctor/doctor.h"
#include "cli/doctor/prove.h"
#include "cli/output/json.h"

#include <string.h>

/* Weights are words, since numbers of an enum may change. */
static const char *const weights[] = {
    [DOCTOR_NOTE] = "note",       [DOCTOR_COVERS] = "covers", [DOCTOR_MAYBE] = "maybe",
    [DOCTOR_UNKNOWN] = "unknown", [DOCTOR_LIMITS] = "limits", [DOCTOR_BLOCKS] = "blocks",
};
static const char *const verdicts[] = {[DOCTOR_COVERED] = "covered",
                                       [DOCTOR_PARTLY] = "partly",
                                       [DOCTOR_NOT_COVERED] = "not",
                                       [DOCTOR_CANNOT_TELL] = "cannot-tell"};

static const char *const outcomes[] = {[DOCTOR_SHOWS_NOTHING] = "nothing",
                                       [DOCTOR_REFUTED] = "refuted",
                                       [DOCTOR_PROVEN_PARTLY] = "partly",
                                       [DOCTOR_PROVEN] = "proven"};

/* null for what is not known: NULL or "". */
static json_t *text_json(const char *text)
{
  return text && *text ? cli_json_text((struct idem_span){text, strlen(text)}) : json_null();
}

/* Findings stand in the order in which they were found. */
static json_t *findings_json(const struct doctor *doctor)
{
  json_t *list = json_array();
  for (size_t i = 0; i < doctor->finding_count; i++) {
    const struct doctor_finding *finding = &doctor->findings[i];
    json_array_append_new(list, json_pack("{s:s, s:s, s:o, s:o}", "code", finding->row->code, "weight",
                                          weights[finding->row->weight], "text", text_json(finding->text),
                                          "next", text_json(finding->next)));
  }
  return list;
}

/* Every libcurl that was seen, also one that nobody calls. */
static json_t *libcurls_json(const struct doctor *doctor)
{
  json_t *list = json_array();
  for (size_t i = 0; i < doctor->libcurl_count; i++) {
    const struct doctor_libcurl *libcurl = &doctor->libcurls[i];
    json_array_append_new(list, json_pack("{s:o, s:o, s:s}", "path", text_json(libcurl->path), "version",
                                          text_json(libcurl->version), "tls", libcurl->tls));
  }
  return list;
}

/* A run has the numbers that the judge went by. */
static json_t *run_json(const struct doctor_run *run)
{
  return json_pack("{s:I, s:I, s:I, s:I, s:I, s:i, s:i, s:b, s:o}", "requests", (json_int_t)run->requests,
                   "live", (json_int_t)run->events.live, "stored", (json_int_t)run->events.stored, "hit",
                   (json_int_t)run->events.hit, "bypass", (json_int_t)run->events.bypass, "status",
                   run->status, "signal", run->signal, "timed_out", (int)run->timed_out, "complaint",
                   text_json(run->complaint));
}

/* One document, with or without a proof, which is null without --prove. */
int doctor_print_json(const struct doctor *doctor, const struct doctor_proof *proof)
{
  json_t *proven =
      proof
          ? json_pack("{s:b, s:s, s:b, s:o, s:o, s:o, s:[o, o]}", "proven", proof->outcome == DOCTOR_PROVEN,
                      "outcome", outcomes[proof->outcome], "live", (int)proof->live, "servers",
                      text_json(proof->servers), "untaken", text_json(proof->untaken), "verdict",
                      text_json(proof->verdict), "runs", run_json(&proof->runs[0]), run_json(&proof->runs[1]))
          : json_null();
  /* `verdict` goes by the proof where there is one, `by_files` never does. jansson gives NULL for a text that
   * is missing or not UTF-8, so texts of others go through text_json(). */
  return cli_print_json(json_pack(
      "{s:o, s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:{s:b, s:b, s:b}, s:o, s:o}", "subject",
      text_json(doctor->subject), "pid", doctor->pid ? json_integer(doctor->pid) : json_null(), "verdict",
      verdicts[doctor_verdict(doctor, proof)], "by_files", verdicts[doctor_verdict(doctor, NULL)], "script",
      text_json(doctor->program.script), "program", text_json(doctor->program.path), "libcurl",
      libcurls_json(doctor), "library", text_json(doctor->library), "hooks", "multi",
      (int)doctor->hooks.multi, "dlsym", (int)doctor->hooks.dlsym, "dlopen", (int)doctor->hooks.dlopen,
      "findings", findings_json(doctor), "proof", proven));
}
