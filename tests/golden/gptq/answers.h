/* Made by make_gptq.py: IST-DASLab/gptq 2d65066, mit-han-lab/llm-awq d6e797a. */
static const struct {
    const char *spec;
    double proxy_trace;
} gptq_answers[] = {
    { "gptq:bits=2,group=row,scale=f32", 7163.36528 },
    { "gptq:bits=2,group=row,scale=f32,act_order", 3850.479493 },
    { "gptq:bits=2,group=128,scale=f32", 6227.746986 },
    { "gptq:bits=2,group=128,scale=f32,act_order", 3292.114704 },
    { "gptq:bits=3,group=row,scale=f32", 1482.345116 },
    { "gptq:bits=3,group=row,scale=f32,act_order", 758.6188597 },
    { "gptq:bits=3,group=128,scale=f32", 1107.195481 },
    { "gptq:bits=3,group=128,scale=f32,act_order", 589.9227576 },
    { "gptq:bits=3,group=64,scale=f32", 800.7462136 },
    { "gptq:bits=4,group=row,scale=f32", 333.5652538 },
    { "gptq:bits=4,group=row,scale=f32,search", 298.3717438 },
    { "gptq:bits=4,group=row,scale=f32,act_order", 170.6036046 },
    { "gptq:bits=4,group=128,scale=f32", 247.6061262 },
    { "gptq:bits=4,group=128,scale=f32,scheme=symmetric", 342.8786078 },
    { "gptq:bits=4,group=128,scale=f32,act_order", 129.0386641 },
    { "gptq:bits=4,group=128,scale=f32,act_order,static_groups", 128.472205 },
};

static const struct {
    const char *spec, *file;
    double rtn, scaled, clipped; /* mean squared output errors */
} awq_answers[] = {
    { "awq:bits=3,group=128,scale=f32", "awq_b3_g128.npy", 0.03615949203, 0.0192482684,
      0.01184352002 },
    { "awq:bits=4,group=128,scale=f32", "awq_b4_g128.npy", 0.008089304233, 0.004282400324,
      0.003496240632 },
    { "awq:bits=4,group=64,scale=f32", "awq_b4_g64.npy", 0.006083762334, 0.002988568438,
      0.002352944478 },
};
