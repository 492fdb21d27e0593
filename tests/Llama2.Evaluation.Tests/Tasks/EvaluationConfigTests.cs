using System.Text.Json;

namespace Llama2.Evaluation.Tests;

public sealed class EvaluationConfigTests
{
    // The samples of the contract.
    private const string TextGeneration = """{"metrics": ["rouge1", "rouge2", "bleu_3", "bleu_4"], "aggregator": true, "stemmer": true, "smoothing": false}""";

    private const string Classification = """
        {"metrics": ["average_precision_score_macro", "AUC_macro", "recall_score_macro", "average_precision_score_binary", "average_precision_score_micro",
        "AUC_binary", "recall_score_micro", "AUC_micro", "norm_macro_recall", "average_precision_score_weighted", "weighted_accuracy", "precision_score_micro",
        "f1_score_binary", "accuracy_table", "precision_score_macro", "f1_score_micro", "precision_score_weighted", "f1_score_weighted", "confusion_matrix",
        "recall_score_binary", "matthews_correlation", "log_loss", "accuracy", "precision_score_binary", "balanced_accuracy", "AUC_weighted", "f1_score_macro",
        "recall_score_weighted"], "multilabel": false, "enable_metric_confidence": true, "confidence_metrics": ["accuracy", "f1_score_micro"],
        "use_binary": false, "class_labels": ["a", "b"]}
        """;

    [Fact]
    public void Parse_TextGenerationSample_GivesItsOptions()
    {
        var config = EvaluationConfig.Parse(TextGeneration);

        TextGenerationMetricOptions options = config.ToTextGenerationOptions();

        Assert.Equal(["rouge1", "rouge2", "bleu_3", "bleu_4"], options.Metrics);
        Assert.Equal((true, false, true), (options.Stemmer, options.Smoothing, config.Aggregator));
        Assert.Equal(new TextGenerationMetricOptions().Metrics, EvaluationConfig.Parse("{}").ToTextGenerationOptions().Metrics);
    }

    [Fact]
    public void Parse_ClassificationSample_KnowsAll28Metrics()
    {
        var config = EvaluationConfig.Parse(Classification);
        ClassificationMetrics metrics = ClassificationMetrics.Compute(["a", "b"], ["a", "a"], config.ClassLabels);

        IReadOnlyDictionary<string, double> figures = config.Select(metrics);

        Assert.Equal(28, ClassificationMetrics.Names.Count);
        Assert.Equal(ClassificationMetrics.Names.Order(StringComparer.Ordinal), config.Metrics!.Order(StringComparer.Ordinal));
        Assert.Equal(metrics.ToDictionary().OrderBy(pair => pair.Key, StringComparer.Ordinal), figures.OrderBy(pair => pair.Key, StringComparer.Ordinal));
        Assert.Equal(["accuracy", "f1_score_micro"], config.ConfidenceMetrics!);
        Assert.True(config.EnableMetricConfidence);
        Assert.Equal(["accuracy"], EvaluationConfig.Parse("""{"metrics": ["accuracy", "confusion_matrix"]}""").Select(metrics).Keys);
        Assert.Throws<NotSupportedException>(() => EvaluationConfig.Parse("""{"metrics": ["rouge1"]}""").Select(metrics));
    }

    [Fact]
    public void Parse_GeneratorConfig_IsKept()
    {
        var config = EvaluationConfig.Parse("""{"generator_config": {"max_new_tokens": 7}, "train_labels": ["x"], "use_binary": true}""");

        Assert.Equal(7, config.GeneratorConfig!.Value.GetProperty("max_new_tokens").GetInt32());
        Assert.Equal(["x"], config.TrainLabels!);
        Assert.True(config.UseBinary);
    }

    [Theory]
    [InlineData("""{"multilabel": true}""", "multilabel")]
    [InlineData("""{"tokenizer_config": {}}""", "tokenizer_config")]
    [InlineData("""{"Metrics": []}""", "Metrics")]
    public void Parse_WhatThereIsNot_IsRefusedByName(string json, string name) =>
        Assert.Contains(name, Assert.Throws<NotSupportedException>(() => EvaluationConfig.Parse(json)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("[]")]
    [InlineData("3")]
    [InlineData("{")]
    [InlineData("""{"stemmer": "true"}""")]
    [InlineData("""{"stemmer": null}""")]
    [InlineData("""{"metrics": "rouge1"}""")]
    [InlineData("""{"metrics": [true]}""")]
    [InlineData("""{"metrics": {}}""")]
    [InlineData("""{"generator_config": 1}""")]
    public void Parse_WrongType_Throws(string json) => Assert.ThrowsAny<JsonException>(() => EvaluationConfig.Parse(json));
}
