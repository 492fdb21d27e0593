namespace Llama2.Cli;

/// <summary>What the best model has most of, or least where it is the loss.</summary>
internal enum BestModelMetric
{
    Loss,
    Accuracy,
    Exact,
    F1Macro,
    PrecisionMacro,
    RecallMacro,
    MatthewsCorrelation,
    Rouge1,
    Rouge2,
    RougeL,
    RougeLsum,
}
