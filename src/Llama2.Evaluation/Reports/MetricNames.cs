namespace Llama2.Evaluation;

/// <summary>What the figures are, in a sentence each.</summary>
internal static class MetricNames
{
    // What a reader wants to see first.
    private static readonly string[] _first = ["accuracy", "f1_score_macro", "balanced_accuracy", "matthews_correlation", "AUC_macro", "log_loss"];

    /// <summary>The place of a figure of a classification; equal for all that are not among the first.</summary>
    public static int RankOf(string name) => Array.IndexOf(_first, name) is >= 0 and int rank ? rank : _first.Length;

    public static ReportMetric Describe(string name, double value, IReadOnlyDictionary<string, ConfidenceInterval>? intervals = null) =>
        new(name, double.IsNaN(value) ? null : value)
        {
            Description = Of(name),
            Interval = intervals is not null && intervals.TryGetValue(name, out ConfidenceInterval interval) ? interval : null,
        };

    private static string? Of(string name) => name switch
    {
        "accuracy" => "Share of items classified correctly.",
        "balanced_accuracy" => "Mean recall of the classes.",
        "weighted_accuracy" => "Accuracy, each item weighted by how many items have its class.",
        "norm_macro_recall" => "Macro recall, moved so that guessing gives 0.",
        "matthews_correlation" => "Correlation of label and prediction; 0 is chance.",
        "log_loss" => "Mean −ln p of the true class; lower is better.",
        "perplexity" => "exp of the mean −ln p of a token; lower is better.",
        "mean_perplexity" => "Mean of the texts' perplexities; lower is better.",
        "bits_per_byte" => "−log₂ p per byte of text; lower is better.",
        "rouge1" => "Words in common with the reference, F-measure.",
        "rouge2" => "Word pairs in common with the reference, F-measure.",
        "rouge3" => "Word triples in common with the reference, F-measure.",
        "rougeL" => "Longest common subsequence of words, F-measure.",
        "rougeLsum" => "Longest common subsequences, line by line, F-measure.",
        "exact_match" => "Share of answers that are the expected one, but for case, punctuation and articles.",
        ToolCallingEvaluator.RightDecision => "Share of cases with the right call, or none where none was due.",
        ToolCallingEvaluator.RightFunction => "Of the cases with a call due, the share with the right function.",
        ToolCallingEvaluator.RightArguments => "Of the cases with a call due, the share with the right function and arguments.",
        ToolCallingEvaluator.WellFormed => "Share of answers that are words, or a whole call of a function that was offered.",
        ToolCallingEvaluator.NeedlessCalls => "Of the cases with no call due, the share with one; lower is better.",
        "f1" => "Words in common with the expected answer, F-measure.",
        TextGenerationMetricOptions.NameFaithfulnessName => "Share of names in the texts that occur in what they are about.",
        _ when name.StartsWith("bleu", StringComparison.Ordinal) => "N-grams in common with the reference, of the whole corpus.",
        _ => Averaged(name),
    };

    private static string? Averaged(string name)
    {
        string average = name[(name.LastIndexOf('_') + 1)..] switch
        {
            "macro" => "mean over the classes",
            "micro" => "all classes' counts together",
            "weighted" => "mean over the classes, weighted by their items",
            "binary" => "of the positive class",
            _ => "",
        };
        string figure = average.Length == 0 ? "" : name[..name.LastIndexOf('_')] switch
        {
            "precision_score" => "Precision",
            "recall_score" => "Recall",
            "f1_score" => "F1",
            "AUC" => "Area under the ROC curve",
            "average_precision_score" => "Average precision",
            _ => "",
        };
        return figure.Length == 0 ? null : $"{figure}, {average}.";
    }
}
