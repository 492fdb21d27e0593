using Llama2.Evaluation;

namespace Llama2.Cli;

/// <summary>What a model is evaluated at, under the contract's names.</summary>
internal enum EvaluationTask
{
    TextClassification,
    Summarization,
    TextGeneration,
    ChatCompletion,
    ToolCalling,
}

/// <summary>What the tasks are called and how they differ.</summary>
internal static class EvaluationTasks
{
    public static (string Name, EvaluationTask Value)[] Names { get; } =
    [
        ("text-classification", EvaluationTask.TextClassification), ("summarization", EvaluationTask.Summarization),
        ("text-summarization", EvaluationTask.Summarization), ("text-generation", EvaluationTask.TextGeneration),
        ("chat-completion", EvaluationTask.ChatCompletion), ("tool-calling", EvaluationTask.ToolCalling),
    ];

    public static string NameOf(EvaluationTask task) => Array.Find(Names, pair => pair.Value == task).Name;

    /// <summary>What is asked where the rows are bare texts and nobody says how.</summary>
    public static string PromptTemplate(EvaluationTask task) => task switch
    {
        EvaluationTask.TextClassification => "Classify this text as {labels}:\n{input}",
        EvaluationTask.Summarization => "Summarize this dialog:\n{input}\n---\nSummary:\n",
        _ => "{input}",
    };

    /// <summary>What is measured where nobody says it.</summary>
    public static IReadOnlyList<string> Metrics(EvaluationTask task) => task switch
    {
        EvaluationTask.ToolCalling => ToolCallingEvaluator.Metrics,
        EvaluationTask.Summarization => ["rouge1", "rouge2", "rougeL", "rougeLsum", "name_faithfulness"],
        _ => ["rouge1", "rouge2", "rougeL", "rougeLsum", "bleu_1", "bleu_2", "bleu_3", "bleu_4"],
    };
}
