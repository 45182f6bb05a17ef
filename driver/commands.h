// Every command's function; main.c lists them. Each returns an exit status (session.h).
#pragma once
#include "session.h"

int command_bench(Session *session);
int command_build(Session *session);
int command_check(Session *session);
int command_compile(Session *session);
int command_doctor(Session *session);
int command_dump(Session *session);
int command_eval(Session *session);
int command_explain(Session *session);
int command_export(Session *session);
int command_fmt(Session *session);
int command_grad(Session *session);
int command_graph(Session *session);
int command_help(Session *session);
int command_import(Session *session);
int command_init(Session *session);
int command_opt(Session *session);
int command_predict(Session *session);
int command_report(Session *session);
int command_search(Session *session);
int command_show(Session *session);
int command_train(Session *session);
int command_version(Session *session);
