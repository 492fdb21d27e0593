namespace Llama2.Tests;

/// <summary>The settings as their formulas say, in double precision and with no regard to time.</summary>
internal static class SamplerReference
{
    /// <summary>The logits after every rule that comes before sampling.</summary>
    public static double[] Process(GenerationOptions options, IReadOnlyList<float> logits, int[] prompt, int[] answer, int[] endIds, int[][] badWords)
    {
        double[] scores = [.. logits.Select(logit => (double)logit)];
        int[] all = [.. prompt, .. answer];
        foreach ((int id, float bias) in options.LogitBias ?? new Dictionary<int, float>())
        {
            scores[id] += bias;
        }

        if (options.RepetitionPenalty is float penalty)
        {
            int[] window = options.RepetitionWindow is > 0 and int length ? [.. all.TakeLast(length)] : all;
            foreach (int id in window.Distinct())
            {
                scores[id] = scores[id] < 0 ? scores[id] * penalty : scores[id] / penalty;
            }
        }

        foreach (IGrouping<int, int> used in answer.GroupBy(id => id))
        {
            scores[used.Key] -= (options.PresencePenalty ?? 0) + (used.Count() * (options.FrequencyPenalty ?? 0));
        }

        if (options.NoRepeatNgramSize is > 0 and int size)
        {
            foreach (int id in Enumerable.Range(0, scores.Length))
            {
                int[] run = [.. all.TakeLast(size - 1), id];
                if (run.Length == size && Enumerable.Range(0, Math.Max(0, all.Length - size + 1)).Any(i => all.Skip(i).Take(size).SequenceEqual(run)))
                {
                    scores[id] = double.NegativeInfinity;
                }
            }
        }

        foreach (int[] word in badWords)
        {
            if (all.TakeLast(word.Length - 1).SequenceEqual(word.SkipLast(1)))
            {
                scores[word[^1]] = double.NegativeInfinity;
            }
        }

        if (answer.Length < (options.MinNewTokens ?? 0))
        {
            foreach (int id in endIds)
            {
                scores[id] = double.NegativeInfinity;
            }
        }

        return scores;
    }

    /// <summary>The probabilities after temperature, top_k, top_p, min_p and typical_p; and whether rounding might keep other tokens.</summary>
    /// <param name="options">The settings.</param>
    /// <param name="scores">The processed logits.</param>
    /// <param name="doubt">How close to a limit is doubtful; the default allows for single-precision logits and typicality.</param>
    public static (double[] Probabilities, bool Doubtful) Distribution(GenerationOptions options, double[] scores, double doubt = 1e-5)
    {
        double temperature = options.Temperature ?? 0.6f;
        double[] x = [.. scores.Select(score => score / temperature)];
        bool doubtful = false;
        bool[] kept = [.. x.Select(double.IsFinite)];
        if (options.TopK is > 0 and int k)
        {
            int[] ordered = [.. Alive().OrderByDescending(i => x[i]).ThenBy(i => i)];
            doubtful |= k < ordered.Length && x[ordered[k - 1]] - x[ordered[k]] is > 0 && x[ordered[k - 1]] - x[ordered[k]] < doubt;
            Keep(ordered.Take(k));
        }

        Keep(Reaching(Alive().OrderByDescending(i => x[i]).ThenBy(i => i), options.TopP ?? 0.9f));

        double[] p = Probabilities();
        double least = (options.MinP ?? 0) * p.Max();
        doubtful |= least > 0 && Alive().Any(i => Math.Abs((p[i] / least) - 1) < doubt);
        Keep(Alive().Where(i => p[i] >= least));

        p = Probabilities();
        double entropy = -Alive().Sum(i => p[i] * Math.Log(p[i]));
        double[] distance = [.. p.Select(q => Math.Abs(-Math.Log(q) - entropy))];
        int[] byDistance = [.. Alive().OrderBy(i => distance[i]).ThenBy(i => i)];
        double typical = options.TypicalP ?? 1;
        if (typical < 1)
        {
            doubtful |= byDistance.Zip(byDistance.Skip(1)).Any(pair => distance[pair.Second] - distance[pair.First] < doubt && x[pair.First] != x[pair.Second]);
            Keep(Reaching(byDistance, typical));
        }

        return (Probabilities(), doubtful);

        int[] Alive() => [.. Enumerable.Range(0, x.Length).Where(i => kept[i])];

        void Keep(IEnumerable<int> ids)
        {
            int[] list = [.. ids];
            Array.Clear(kept);
            Array.ForEach(list, i => kept[i] = true);
        }

        double[] Probabilities()
        {
            double max = Alive().Max(i => x[i]);
            double sum = Alive().Sum(i => Math.Exp(x[i] - max));
            return [.. x.Select((value, i) => kept[i] ? Math.Exp(value - max) / sum : 0)];
        }

        IEnumerable<int> Reaching(IEnumerable<int> ordered, double mass)
        {
            double[] p = Probabilities();
            double before = 0;
            var list = new List<int>();
            foreach (int i in ordered.ToArray())
            {
                doubtful |= mass < 1 && Math.Abs(before - mass) < doubt;
                if (mass < 1 && before >= mass)
                {
                    break;
                }

                list.Add(i);
                before += p[i];
            }

            return list;
        }
    }
}
